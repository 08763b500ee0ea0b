"""Hosts: reading one through NVML, and reading and writing its description.

Only `nvml` imports pynvml.
"""
