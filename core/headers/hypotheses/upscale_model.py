"""Networks that enlarge or mend pictures; the tensors by which spandrel, ComfyUI's loader of them, knows each."""

from __future__ import annotations

from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Part, Subject

#: What trainers put before the tensors of a network.
PREFIXES = ("", "params_ema.", "params.", "model.", "module.", "generator.", "model_g.", "state_dict.")

# Tensors that together no other network has (spandrel 0.4.2, `architectures/*/__init__.py`, KeyCondition).
_TELLING: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("HAT", ("conv_first.weight", "layers.0.residual_group.overlap_attn.relative_position_bias_table")),
    ("ATD", ("conv_first.weight", "layers.0.residual_group.td")),
    ("CRAFT", ("conv_first.weight", "layers.0.residual_group.hf_blocks.0.attn.temperature")),
    ("SwinIR", ("layers.0.residual_group.blocks.0.norm1.weight", "layers.0.residual_group.blocks.0.mlp.fc1.bias")),
    ("DAT", ("conv_first.weight", "before_RG.1.weight", "layers.0.blocks.0.ffn.sg.conv.weight")),
    ("RGT", ("conv_first.weight", "before_RG.1.weight", "layers.0.blocks.0.gamma")),
    ("DRCT", ("conv_first.weight", "layers.0.swin1.attn.relative_position_bias_table", "layers.0.adjust1.weight")),
    ("GRL", ("conv_first.weight", "layers.0.blocks.0.attn.window_attn.attn_transform.logit_scale")),
    ("FDAT", ("groups.0.blocks.0.attn.bias", "groups.0.blocks.0.inter.cg.1.weight")),
    ("MM-RealSR", ("conv_first.weight", "body.0.rdb1.conv1.weight", "am_list.0.fc.0.weight")),
    ("ESRGAN", ("conv_first.weight", "body.0.rdb1.conv1.weight", "conv_last.weight")),
    ("ESRGAN", ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight")),
    ("ESRGAN+", ("model.0.weight", "model.1.sub.0.RDB1.conv1x1.weight")),
    ("ESRGAN", ("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight", "trunk_conv.weight")),
    ("AuraSR", ("mid_attn.layers.0.0.to_out.weight", "final_res_block.block1.proj.weights")),
    ("DCTLSA", ("fea_conv.weight", "B1.body.0.transformer_body.0.blocks.0.attn.qkv.weight")),
    ("DITN", ("sft.weight", "UFONE.0.ITLs.0.attn.temperature")),
    ("DnCNN", ("model.0.weight", "model.0.bias", "model.2.weight", "model.2.bias", "model.3.running_mean")),
    ("DnCNN", ("model.0.weight", "model.2.weight", "model.4.weight", "model.6.weight", "model.8.weight")),
    ("FBCNN", ("m_head.weight", "m_tail.weight", "qf_pred.0.res.0.weight")),
    ("DRUNet", ("m_head.weight", "m_tail.weight", "m_down1.0.res.0.weight", "m_body.0.res.0.weight")),
    ("SCUNet", ("m_head.0.weight", "m_tail.0.weight")),
    ("FFTformer", ("patch_embed.proj.weight", "encoder_level1.0.ffn.fft")),
    ("HVI-CIDNet", ("HVE_block0.1.weight", "ID_block0.1.weight")),
    ("IPT", ("sub_mean.weight", "add_mean.weight", "body.encoder.layers.0.self_attn.in_proj_weight")),
    ("KBNet", ("intro.weight", "encoders.0.0.attgamma", "ending.weight")),
    ("KBNet", ("encoder_level3.0.ffn.project_out.weight", "latent.0.ffn.qkv.weight")),
    ("LaMa", ("model.1.bn_l.running_mean",)),
    ("MixDehazeNet", ("patch_embed.proj.weight", "layer1.blocks.0.conv3_19.weight")),
    ("MoESR", ("in_to_dim.weight", "blocks.0.blocks.0.conv.dwconv_hw.weight")),
    ("MoSR", ("gblocks.0.weight", "gblocks.1.conv.weight")),
    ("NAFNet", ("intro.weight", "ending.weight", "middle_blks.0.beta")),
    ("Omni-SR", ("residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "up.0.weight")),
    ("PLKSR", ("feats.0.weight", "feats.1.refine.weight")),
    ("PLKSR", ("feats.0.weight", "feats.1.lk.conv.weight")),
    ("PLKSR", ("feats.0.weight", "feats.1.channe_mixer.0.weight")),
    ("RCAN", ("tail.1.weight", "body.0.body.0.body.3.conv_du.0.weight")),
    ("Real-CUGAN", ("unet1.conv1.conv.0.weight", "unet2.conv1.conv.0.weight")),
    ("Retinexformer", ("body.0.estimator.conv1.weight", "body.0.denoiser.embedding.weight")),
    ("SAFMN", ("to_feat.weight", "feats.0.safm.mfr.0.weight")),
    ("SAFMN BCIE", ("to_feat.1.weight", "feats.0.layers.0.safm.mfr.0.weight")),
    ("SPAN", ("conv_1.sk.weight", "block_1.c1_r.sk.weight")),
    ("SeemoRe", ("conv_1.weight", "body.0.local_block.norm_1.weight")),
    ("SwiftSRGAN", ("initial.cnn.depthwise.weight", "final_conv.pointwise.weight")),
    ("Uformer", ("input_proj.proj.0.weight", "encoderlayer_0.blocks.0.norm1.weight")),
)


def upscale_model(subject: Subject) -> Claim | WhyNot:
    """Hold for the networks that ComfyUI's loader takes."""
    for prefix in subject.prefixes(*PREFIXES):
        part = subject.part(prefix)
        for name, needed in _TELLING:
            if part.has(*needed):
                return Claim(kind=Kind.UPSCALE_MODEL, detail=name, evidence=part.told(*needed))
        compact = _compact(part)
        if compact is not None:
            return compact
    return WhyNot("no network that spandrel knows")


def _compact(part: Part) -> Claim | None:
    """Real-ESRGAN Compact: convolutions and PReLUs alone, numbered."""
    shape = part.shape("body.0.weight")
    if shape is None or len(shape) != 4 or shape[2:] != (3, 3) or part.shape("body.1.weight") != shape[:1]:
        return None
    if any(name.count(".") != 2 for name in part.names("body.")):
        return None
    told = part.told("body.0.weight", "body.1.weight")
    return Claim(kind=Kind.UPSCALE_MODEL, detail="Real-ESRGAN Compact", evidence=told)
