"""A model's shape from a hub of models, through the optional `huggingface_hub`; nothing is read unless asked for."""

from __future__ import annotations

from .config_json import shape_of_file
from .models import ModelShape


class HubError(ValueError):
    """A config.json that the hub does not give: the message says which and why."""


def shape_of_hub(model_id: str) -> ModelShape:
    """The shape in the config.json of a repository. Raises HubError, and ConfigJsonError for one that is unusable.

    HF_ENDPOINT, HF_TOKEN and the cache are huggingface_hub's own.
    """
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        raise HubError("--hub needs huggingface_hub: pip install 'gpulint[hub]'") from None
    try:
        path = hf_hub_download(model_id, "config.json")
    except (OSError, HFValidationError) as error:  # not found, gated, no connection: all are OSErrors
        reason = str(error).strip().splitlines()
        raise HubError(
            f"{model_id}: no config.json from the hub: {reason[0] if reason else type(error).__name__}"
        ) from None
    return shape_of_file(str(path), model_id)
