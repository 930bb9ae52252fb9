"""What people call their columns and files."""

from __future__ import annotations

import re
from pathlib import PurePath

from gnn.sources.mapping import Role


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EXACT_NAMES: dict[Role, frozenset[str]] = {
    "user": _words(
        "user userid useridx uid username usr customer customerid client clientid visitor visitorid member memberid"
        " reviewerid reviewer buyer buyerid account accountid"
        " 用户 用户id 用户编号 用户名 会员 会员id 会员编号 客户 客户id 客户编号 顾客 顾客id 买家 买家id"
    ),
    "item": _words(
        "item itemid itemidx iid movie movieid product productid asin parentasin track trackid song songid book bookid isbn"
        " game gameid sku article articleid video videoid news newsid business businessid"
        " 商品 商品id 商品编号 物品 物品id 物品编号 产品 产品id 产品编号 电影 电影id 视频 视频id 文章 文章id 歌曲 歌曲id 图书 图书id"
    ),
    "weight": _words(
        "weight rating ratings score stars value playcount plays count hours watchtime duration quantity overall playtime listens"
        " 评分 分数 打分 星级 权重 次数 数量 时长 播放次数 观看时长"
    ),
    "timestamp": _words("timestamp time ts date datetime unixreviewtime createdat eventtime unixtime 时间 时间戳 日期 创建时间 下单时间"),
    "label": _words("label click clicked isclick clicks conversion converted isconverted target 点击 是否点击 标签 转化"),
    "behaviour": _words("behaviour behavior behaviourtype behaviortype event eventtype action actiontype 行为 行为类型 事件"),
    "domain": _words("domain domainid scenario marketplace"),
    "propensity": _words("propensity propensityscore pscore"),
    "position": _words("position pos slot rank"),
}
"""Names in lower case, without anything but letters and digits; English, and Chinese as GB18030 files often have it."""
HINTS: dict[Role, tuple[str, ...]] = {
    "user": ("user", "customer", "visitor", "client", "member", "account", "session"),
    "item": ("item", "movie", "product", "track", "song", "book", "game", "article", "artist", "business", "venue", "anime"),
    "weight": ("rating", "score", "weight", "hours", "count", "stars", "watch"),
    "timestamp": ("time", "date"),
    "label": ("click", "label"),
    "behaviour": ("behaviour", "behavior"),
    "domain": ("domain",),
    "propensity": ("propensity",),
    "position": ("position",),
}
NOT_IDS = ("feature", "affinity")
"""In the name of a column these say that it describes a user or an item, so it does not tell which."""
_ITEM_FILES = _words("item items iteminfo itemcontext itemfeatures movie movies movieinfo product products productinfo book books")
_USER_FILES = _words("user users userinfo userfeatures customer customers customerinfo")


def plain_name(name: str) -> str:
    """Lower-case letters and digits of any script only, without a type as in RecBole's ``user_id:token``."""
    return re.sub(r"[\W_]", "", name.lower().split(":")[0])


def stem(filename: str) -> str:
    """The plain name of a file, without folders and endings."""
    return plain_name(PurePath(filename).name.split(".")[0])


def names_items(filename: str) -> bool:
    return stem(filename) in _ITEM_FILES


def names_users(filename: str) -> bool:
    return stem(filename) in _USER_FILES


def suffixes(filename: str) -> list[str]:
    """The endings of a file's name in lower case, such as ``[".inter", ".gz"]``."""
    return [suffix.lower() for suffix in PurePath(filename).suffixes]
