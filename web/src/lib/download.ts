/** Files to keep that the server makes of a request with a body; a link can only ask without one. */
import { address } from "$lib/api/client";
import { Problem } from "$lib/api/problem";

export async function download(path: string, body: unknown, format: string, fileName: string): Promise<void> {
  const response = await fetch(address(path, { format }), {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Taggram": "1" },
    body: JSON.stringify(body),
    credentials: "same-origin",
  }).catch(() => {
    throw Problem.offline();
  });
  if (!response.ok) throw Problem.parse(response.status, await response.text(), response.headers.get("Retry-After"));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the browser reads it after the click
}
