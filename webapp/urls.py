from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, re_path

from webapp.views import accounts, dataset_mapping, dataset_removal, datasets, health, home, searches, spaces, trials, uploads

urlpatterns = [
    path("", home.home, name="home"),
    path("login/", LoginView.as_view(template_name="accounts/login.html", redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("welcome/<uid>/<token>/", accounts.welcome, name="welcome"),
    path("datasets/", datasets.dataset_list, name="datasets"),
    path("datasets/upload/", datasets.upload, name="dataset_upload"),
    path("datasets/uploads/", uploads.upload_new, name="upload_new"),
    path("datasets/uploads/<uuid:upload_id>/", uploads.upload_one, name="upload"),
    path("datasets/uploads/<uuid:upload_id>/finish/", uploads.upload_end, name="upload_finish"),
    path("datasets/<int:dataset_id>/", datasets.dataset_page, name="dataset"),
    path("datasets/<int:dataset_id>/mapping/", dataset_mapping.mapping, name="dataset_mapping"),
    path("datasets/<int:dataset_id>/preview/", dataset_mapping.preparation_preview, name="preparation_preview"),
    path("datasets/<int:dataset_id>/cancel/", dataset_removal.dataset_stop, name="dataset_cancel"),
    path("datasets/<int:dataset_id>/delete/", dataset_removal.dataset_remove, name="dataset_delete"),
    path("spaces/", spaces.space_list, name="spaces"),
    path("spaces/new/", spaces.space_new, name="space_new"),
    path("spaces/size/", spaces.space_size, name="space_size"),
    path("spaces/<int:space_id>/", spaces.space_edit, name="space"),
    path("spaces/<int:space_id>/delete/", spaces.space_remove, name="space_delete"),
    path("searches/", searches.search_list, name="searches"),
    path("searches/new/", searches.search_new, name="search_new"),
    path("searches/<int:search_id>/", searches.search_page, name="search"),
    path("searches/<int:search_id>/head/", searches.search_head, name="search_head"),
    path("searches/<int:search_id>/results/", searches.search_results, name="search_results"),
    path("searches/<int:search_id>/live/", searches.search_live, name="search_live"),
    path("searches/<int:search_id>/trials/", searches.search_trials, name="search_trials"),
    path("searches/<int:search_id>/trials/<int:number>/", trials.trial_page, name="trial"),
    path("searches/<int:search_id>/trials/<int:number>/facts/", trials.trial_facts, name="trial_facts"),
    path("searches/<int:search_id>/trials/<int:number>/live/", trials.trial_live, name="trial_live"),
    re_path(r"^searches/(?P<search_id>[0-9]+)/(?P<action>pause|resume|stop|finish)/$", searches.search_action, name="search_action"),
    path("healthz", health.healthz, name="healthz"),
]
