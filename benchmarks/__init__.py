"""Speed and quality against peers: ``python -m benchmarks.NAME [--quick]``, JSON on the last line."""
