"""The scoring process: holds the promoted version of each model in memory and answers the web process over a local socket.

``python -m serving`` runs it. It loads no torch: scores are products of memory-mapped embeddings in numpy.
"""
