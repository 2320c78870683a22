/** Requests to the REST interface below `api/v1`. Every failure is a `Problem`. */
import { Problem } from "$lib/api/problem";
import { session } from "$lib/session.svelte";

export const BASE = new URL("./api/v1/", document.baseURI).href;

type Value = string | number | boolean | null | undefined;
export type Query = Record<string, Value | Value[]>;
interface Options {
  query?: Query;
  signal?: AbortSignal;
}

/** Address of a resource; what is null, undefined or "" is left out of the query. */
export function address(path: string, query: Query = {}): string {
  const url = new URL(path.replace(/^\//, ""), BASE);
  for (const [name, given] of Object.entries(query))
    for (const value of Array.isArray(given) ? given : [given])
      if (value !== null && value !== undefined && value !== "") url.searchParams.append(name, String(value));
  return url.href;
}

export function get<T>(path: string, options: Options = {}): Promise<T> {
  return request<T>("GET", path, undefined, options);
}
export function post<T>(path: string, body?: unknown, options: Options = {}): Promise<T> {
  return request<T>("POST", path, body, options);
}
export function patch<T>(path: string, body: unknown, options: Options = {}): Promise<T> {
  return request<T>("PATCH", path, body, options);
}
export function put(path: string, body: unknown, options: Options = {}): Promise<void> {
  return request<void>("PUT", path, body, options);
}
export function remove(path: string, options: Options = {}): Promise<void> {
  return request<void>("DELETE", path, undefined, options);
}

async function request<T>(method: string, path: string, body: unknown, { query, signal }: Options): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-Taggram"] = "1"; // no form of another site can send it
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(address(path, query), {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw Problem.offline();
  }
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  if (response.status === 401) session.isNeeded = true;
  throw Problem.parse(response.status, await response.text(), response.headers.get("Retry-After"));
}

/** Send one file; `fetch` cannot say how far an upload has come. */
export function upload<T>(
  path: string,
  file: File,
  { query, signal, onProgress }: Options & { onProgress?: (share: number) => void } = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", address(path, query));
    sending.setRequestHeader("X-Taggram", "1");
    sending.setRequestHeader("Accept", "application/json");
    sending.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    sending.onload = () => {
      if (sending.status >= 200 && sending.status < 300) return resolve(JSON.parse(sending.responseText) as T);
      if (sending.status === 401) session.isNeeded = true;
      reject(Problem.parse(sending.status, sending.responseText, sending.getResponseHeader("Retry-After")));
    };
    sending.onerror = () => reject(Problem.offline());
    sending.onabort = () => reject(new DOMException("the upload was cancelled", "AbortError"));
    signal?.addEventListener("abort", () => sending.abort(), { once: true });
    const form = new FormData();
    form.append("file", file, file.name);
    sending.send(form);
  });
}

/** The bytes of a base64 text. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
