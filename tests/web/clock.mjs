/** A clock that a test moves. */

export class FakeClock {
  time = 0;
  #plans = new Map();
  #next = 1;

  /** How many timers run. */
  get planned() {
    return this.#plans.size;
  }

  now = () => this.time;
  frame = (call) => void this.after(0, call);

  after = (milliseconds, call) => {
    this.#plans.set(this.#next, { at: this.time + milliseconds, call });
    return this.#next++;
  };

  cancel = (timer) => void this.#plans.delete(timer);

  /** Let time pass, and call what is due in order. */
  pass(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      const [timer, plan] = [...this.#plans].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
      if (plan === undefined || plan.at > end) break;
      this.#plans.delete(timer);
      this.time = plan.at;
      plan.call();
    }
    this.time = end;
  }
}
