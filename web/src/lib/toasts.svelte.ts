/** Short messages at the edge of the page. Errors stay until they are dismissed. */
import { Problem } from "$lib/api/problem";

export interface Toast {
  id: number;
  kind: "note" | "error";
  title: string;
  detail: string;
}

class Toasts {
  list = $state<Toast[]>([]);
  private n = 0;

  note(title: string, detail = ""): void {
    const id = this.add("note", title, detail);
    setTimeout(() => this.dismiss(id), 5000);
  }

  /** Say what went wrong; an aborted request is not worth a word. */
  error(error: unknown): void {
    if (error instanceof DOMException && error.name === "AbortError") return;
    if (error instanceof Problem) this.add("error", error.title, error.advice);
    else this.add("error", "Something went wrong in the page", String(error));
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  private add(kind: Toast["kind"], title: string, detail: string): number {
    const same = this.list.find((toast) => toast.title === title && toast.detail === detail);
    if (same) return same.id;
    this.list.push({ id: ++this.n, kind, title, detail });
    return this.n;
  }
}

export const toasts = new Toasts();
