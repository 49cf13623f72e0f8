"""The container: its entrypoint, services and their health, the doctor, tuning. It talks to the engine as any caller.

    tini -> `comfystow pod up` -> supervisord -> ComfyUI, JupyterLab, files, ssh, …
                 |  ^
                 |  +-- pod.sock: `comfystow pod health`, and the engine's /pod/services routes
                 +----- engine: session, downloads, `POST /pod/state`

supervisord only starts and ends processes (`autostart=false autorestart=false`); what is started when, what counts as
ready, and what is started again is decided here.
"""
