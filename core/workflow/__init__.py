"""From a workflow or prompt to the models it needs, what of them is there, and where the rest can come from.

Nothing here touches the network, and nothing but files is read: catalogues and the library are handed in.
"""
