"""What is asked of a model that is served, and what it answers."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

Id = Annotated[str, Field(min_length=1, max_length=1000)]
MAX_K = 1000
MAX_IDS = 10_000
MAX_USERS = 1000


class Filters(Schema):
    """Which items may be in a list."""

    k: int = Field(20, ge=1, le=MAX_K, description="How many items; fewer where no more are left.")
    allow: list[Id] | None = Field(None, max_length=MAX_IDS, description="Only these items; without it, all.")
    deny: list[Id] = Field([], max_length=MAX_IDS, description="Never these items.")
    where: list[Id] = Field(
        [],
        max_length=100,
        description="Only items with these attributes, each as `attribute=value`: any of the values of one attribute, and all attributes. "
        "Possible where the model's dataset has a table of item attributes.",
    )


class Options(Filters):
    """How lists for people are made."""

    exclude_seen: bool = Field(True, description="Leave out what the person has already.")
    mmr_lambda: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Maximal marginal relevance: at 1 scores decide, at 0 how unlike an item is to those before it. Without it, scores.",
    )
    explain: bool = Field(False, description="Say for each item which of the person's items are most like it.")
    fallback: Literal["popularity", "none"] = Field(
        "popularity", description="For people of whom the model knows nothing: the most popular items, labelled so, or an error."
    )


class ForUser(Options):
    user: Id


class ForUsers(Options):
    users: list[Id] = Field(min_length=1, max_length=MAX_USERS)


class ForItems(Options):
    items: list[Id] = Field(min_length=1, max_length=MAX_IDS, description="What somebody new has or likes.")


class LikeItem(Filters):
    item: Id


class Pairs(Schema):
    pairs: list[tuple[Id, Id]] = Field(min_length=1, max_length=MAX_IDS, description="Of a user and an item each.")


class Called(Schema):
    item: str
    title: str | None = Field(None, description="Where the model's dataset has an attribute `title` or `name`.")


class Because(Called):
    similarity: float = Field(description="Cosine of the embeddings of this item and the recommended one.")
    share: float = Field(description="Of the similarities of all of the person's items that are like the recommended one.")


class Recommended(Called):
    score: float = Field(description="Of the model; of `popularity`, how many users have the item; of similar items, the cosine.")
    because: list[Because] | None = Field(None, description="With `explain`: at most three, most alike first.")


class ItemList(Schema):
    source: Literal["model", "fold_in", "popularity"] = Field(description="What made the list; `popularity` is the fallback.")
    items: list[Recommended] = Field(description="Best first.")
    empty: str = Field(description="Why there is no item; else empty.")


class UserList(ItemList):
    user: str


class Served(Schema):
    model: str
    version: int = Field(description="The version that answered: the promoted one, or that of an experiment which the user gets.")


class WithIgnored(Served):
    ignored: list[str] = Field([], description="Items of the request that the model does not know.")


class UserAnswer(UserList, WithIgnored):
    pass


class ListOfUser(UserList):
    version: int = Field(description="The version that this user gets.")


class UsersAnswer(WithIgnored):
    lists: list[ListOfUser] = Field(description="In the order of `users`.")


class ItemsAnswer(ItemList, WithIgnored):
    pass


class SimilarAnswer(WithIgnored):
    item: str
    items: list[Recommended]
    empty: str


class PairScore(Schema):
    user: str
    item: str
    score: float | None
    unknown: list[Literal["user", "item"]] = Field(description="What the model does not know; then there is no score.")


class ScoresAnswer(Served):
    pairs: list[PairScore] = Field(description="In the order of the request.")
