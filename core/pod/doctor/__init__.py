"""`pod doctor`: looks for what breaks pods, and says what to do. It works on any machine with a ComfyUI.

A check is a function that yields findings; each runs in a thread of its own within a time limit, because a dead network
volume or driver hangs whoever touches it. What cannot be found out is `unknown`, never `ok`.
"""
