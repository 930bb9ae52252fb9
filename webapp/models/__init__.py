"""Tables only: no workflow lives here (see ``webapp.services``)."""

from webapp.models.audit import AuditEvent
from webapp.models.batches import Batch
from webapp.models.blobs import Blob, BlobPart
from webapp.models.datasets import Dataset, DatasetFile
from webapp.models.feedback import Experiment, FeedbackEvent
from webapp.models.mapping_templates import MappingTemplate
from webapp.models.models import Model, ModelBuild, ModelVersion, Promotion
from webapp.models.previews import PreparationPreview
from webapp.models.runs import Baseline, FinalistRun, LeasedRun
from webapp.models.searches import Arm, ArmPart, ControllerReport, Search
from webapp.models.spaces import Space, SpaceVersion
from webapp.models.tokens import ApiToken
from webapp.models.trials import Trial, TrialEpoch, TrialRung
from webapp.models.uploads import Upload
from webapp.models.workers import Worker

__all__ = [
    "ApiToken",
    "Arm",
    "ArmPart",
    "AuditEvent",
    "Baseline",
    "Batch",
    "Blob",
    "BlobPart",
    "ControllerReport",
    "Dataset",
    "DatasetFile",
    "Experiment",
    "FeedbackEvent",
    "FinalistRun",
    "LeasedRun",
    "MappingTemplate",
    "Model",
    "ModelBuild",
    "ModelVersion",
    "PreparationPreview",
    "Promotion",
    "Search",
    "Space",
    "SpaceVersion",
    "Trial",
    "TrialEpoch",
    "TrialRung",
    "Upload",
    "Worker",
]
