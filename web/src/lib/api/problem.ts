/** An error as the server tells it (RFC 9457, application/problem+json), or the lack of a server. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail = "",
    readonly remedy = "",
    /** Seconds after which the same request may succeed; null if nothing was said. */
    readonly retryAfter: number | null = null,
    /** Of an expression: where it is wrong, in characters (not UTF-16 units); null if nowhere in particular. */
    readonly place: { start: number; end: number } | null = null,
  ) {
    super([title, detail, remedy].filter(Boolean).join(" "));
    this.name = "Problem";
  }

  /** Cause and remedy. */
  get advice(): string {
    return [this.detail, this.remedy].filter(Boolean).join(" ");
  }

  /** The server could not be reached. */
  get isOffline(): boolean {
    return this.status === 0;
  }

  static offline(): Problem {
    return new Problem(
      0,
      "The server does not answer",
      "",
      "It may have been stopped: start `taggram serve` again. The page goes on by itself.",
    );
  }

  /** Whatever was thrown, as a problem. */
  static of(error: unknown): Problem {
    return error instanceof Problem ? error : new Problem(-1, "Something went wrong in the page", String(error));
  }

  /** Read a problem from the body of a failed answer. */
  static parse(status: number, body: string, retryAfter: string | null): Problem {
    const seconds = Number.parseFloat(retryAfter ?? "");
    const wait = Number.isFinite(seconds) ? seconds : null;
    try {
      const told = JSON.parse(body) as Record<string, unknown>;
      const text = (key: string) => (typeof told[key] === "string" ? (told[key] as string) : "");
      const { start, end } = told;
      const place = typeof start === "number" && typeof end === "number" ? { start, end } : null;
      return new Problem(status, text("title") || `Error ${status}`, text("detail"), text("remedy"), wait, place);
    } catch {
      return new Problem(status, `Error ${status}`, body.slice(0, 200), "", wait);
    }
  }
}
