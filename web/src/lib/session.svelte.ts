/** Whether the server wants its token before it answers; `TokenDialog` asks for it. */
class Session {
  isNeeded = $state(false);
}

export const session = new Session();

/** Take the token out of the address that `taggram serve` printed (`/#token=…`); null if there is none. */
export function takeTokenFromAddress(): string | null {
  const token = new URLSearchParams(location.hash.replace(/^#/, "")).get("token");
  if (token) history.replaceState(null, "", "#/listen"); // it stays neither in the address nor in the history
  return token;
}
