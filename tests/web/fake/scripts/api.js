/** What the panel uses of ComfyUI's `api`, over server-sent events instead of a websocket. */

class FakeApi extends EventTarget {
  fetchApi(route, options) {
    return fetch(`/api${route}`, options);
  }
}

export const api = new FakeApi();

new EventSource("/fake/events").addEventListener("message", ({ data }) => {
  const event = JSON.parse(data);
  api.dispatchEvent(new CustomEvent(event.type, { detail: event.data }));
});
