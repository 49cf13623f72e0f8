"""The tokens that the hub knows; any other is refused as the real sites refuse it. None is a secret."""

HF_TOKEN = "hf_stowReaderWithLicence"
HF_TOKEN_NO_LICENCE = "hf_stowReaderWithoutLicence"
CIVITAI_TOKEN = "civitai_stow_member"
CIVITAI_BUYER_TOKEN = "civitai_stow_buyer"
