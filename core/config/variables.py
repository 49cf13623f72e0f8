"""Names of environment variables that mean something to us."""

from __future__ import annotations

from collections.abc import Mapping

ENV_PREFIX = "COMFYSTOW_"

#: Variables beside COMFYSTOW_* that mean something to us; a session hands them over at attach.
FOREIGN_VARIABLES = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_TOKEN_PATH",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "CIVITAI_TOKEN",
    "CIVITAI_API_KEY",
    "CIVITAI_API_TOKEN",
    "CIVITAI_ENDPOINT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_ENDPOINT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "JUPYTER_TOKEN",
)

#: Variables that hold passwords of the pod's services: each is for its service alone.
POD_SECRETS = frozenset(
    {"COMFYSTOW_ACCESS_SECRET", "COMFYSTOW_FILES_PASSWORD", "COMFYSTOW_JUPYTER_TOKEN", "JUPYTER_TOKEN"}
)
#: What of these a session tells the engine: it asks Jupyter whether somebody works there.
_TOLD = frozenset({"COMFYSTOW_JUPYTER_TOKEN", "JUPYTER_TOKEN"})


def session_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a caller hands over to the engine of its environment: tokens, endpoints, COMFYSTOW_*."""
    known = set(FOREIGN_VARIABLES)
    return {
        name: value
        for name, value in environment.items()
        if (name in known or name.startswith(ENV_PREFIX)) and name not in POD_SECRETS - _TOLD
    }


#: Settings that another program names too.
ALIASES = {
    "hf_endpoint": "HF_ENDPOINT",
    "civitai_endpoint": "CIVITAI_ENDPOINT",
    "hf_offline": "HF_HUB_OFFLINE",
    "rented_cores": "RUNPOD_CPU_COUNT",
    "jupyter_token": "JUPYTER_TOKEN",
}
