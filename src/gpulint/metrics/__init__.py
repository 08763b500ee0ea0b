"""What a metric means: a table of the metrics that serving stacks export, and a reader of PromQL."""

from __future__ import annotations
