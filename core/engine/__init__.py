"""The engine process: one a host and state folder; who finds, starts, asks and serves it.

`attach` and `sync_client` are what a short-lived command imports: standard library only, neither asyncio nor aiohttp.
`service` and `api` are imported by the engine process alone.
"""
