"""Operators that contain products, taken apart: one file per family, listed in EXPANSIONS.

A family is a function `Builder -> bool`: it appends the nodes that stand for the builder's node, or returns False
and the node stays as it is.
"""

from collections.abc import Callable

from rcompile.frontend.expand import blockwise, branch, dynamic, microsoft, products, qlinear, qonnx, recurrent
from rcompile.frontend.expand.builder import Builder
from rcompile.ir.graph import MICROSOFT, QONNX_DOMAINS

Expansion = Callable[[Builder], bool]

EXPANSIONS: dict[tuple[str, str], Expansion] = {
    ("", "LSTM"): recurrent.expand,
    ("", "GRU"): recurrent.expand,
    ("", "RNN"): recurrent.expand,
    ("", "MatMul"): products.expand_matmul,
    ("", "Gemm"): products.expand_gemm,
    ("", "Einsum"): products.expand_einsum,
    ("", "QLinearConv"): qlinear.expand_conv,
    ("", "QLinearMatMul"): qlinear.expand_matmul,
    ("", "MatMulInteger"): dynamic.expand_matmul_integer,
    ("", "ConvInteger"): dynamic.expand_conv_integer,
    ("", "If"): branch.expand,
    ("", "CastLike"): microsoft.expand_cast_like,
    ("", "DequantizeLinear"): blockwise.expand_dequantize,
    (MICROSOFT, "DequantizeLinear"): blockwise.expand_dequantize,
    (MICROSOFT, "QLinearConv"): qlinear.expand_conv,
    (MICROSOFT, "QGemm"): qlinear.expand_gemm,
    (MICROSOFT, "DynamicQuantizeMatMul"): dynamic.expand_dynamic_matmul,
    (MICROSOFT, "MatMulIntegerToFloat"): dynamic.expand_matmul_to_float,
    (MICROSOFT, "DynamicQuantizeLSTM"): recurrent.expand,
    (MICROSOFT, "MatMulNBits"): blockwise.expand_nbits,
    (MICROSOFT, "FusedConv"): microsoft.expand_fused_conv,
    (MICROSOFT, "FusedGemm"): microsoft.expand_fused_gemm,
    (MICROSOFT, "FusedMatMul"): microsoft.expand_fused_matmul,
    (MICROSOFT, "TransposeMatMul"): microsoft.expand_fused_matmul,
    (MICROSOFT, "Attention"): microsoft.expand_attention,
    (MICROSOFT, "QAttention"): microsoft.expand_quantized_attention,
}
for _domain in QONNX_DOMAINS:
    EXPANSIONS |= {
        (_domain, "Quant"): qonnx.expand_quant,
        (_domain, "BipolarQuant"): qonnx.expand_bipolar,
        (_domain, "Trunc"): qonnx.expand_trunc,
    }
