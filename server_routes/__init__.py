"""The route table inside ComfyUI's own server: who may ask, the way to the engine, and events back to the browsers."""
