"""Variant: values that say themselves what they are, alone or spread over typed columns."""

from hocket.parquet.variant.decoding import decode
from hocket.parquet.variant.shredding import MISSING, Missing, VariantReader, reconstruct

__all__ = ["MISSING", "Missing", "VariantReader", "decode", "reconstruct"]
