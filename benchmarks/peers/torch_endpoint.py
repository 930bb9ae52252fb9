"""The endpoint that a tutorial ends with, in the web server that Recsmith uses: load with torch, multiply, mask, ``topk``, answer.

No token is asked for and nothing is filtered. ``BENCHMARK_BUNDLE`` names the folder of the model's bundle.
"""

from __future__ import annotations

import os

import torch
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import path
from safetensors.torch import load_file

from gnn.bundle.recommend import Model
from webapp.wsgi import application

__all__ = ["application"]

_folder = os.environ["BENCHMARK_BUNDLE"]
_known = Model.load(_folder)
_tensors = load_file(f"{_folder}/model.safetensors")
_users = {name: code for code, name in enumerate(_known.user_ids)}


@login_not_required
def recommend(request: HttpRequest) -> JsonResponse:
    code, k = _users[request.GET["user"]], int(request.GET["k"])
    with torch.inference_mode():
        scores = _tensors["items"] @ _tensors["users"][code]
        start, end = _tensors["seen_indptr"][code : code + 2].tolist()
        scores[_tensors["seen_items"][start:end].long()] = -torch.inf
        best = torch.topk(scores, k)
    items = [
        {"item": _known.item_ids[item], "score": score} for item, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    return JsonResponse({"user": request.GET["user"], "items": items})


urlpatterns = [path("recommend", recommend)]
settings.ROOT_URLCONF = __name__
