import { mount } from "svelte";
import { post } from "$lib/api/client";
import { takeTokenFromAddress } from "$lib/session.svelte";
import "./app.css";

async function start(): Promise<void> {
  const token = takeTokenFromAddress();
  // A wrong token needs no word here: the first request is refused, and the page asks for the right one.
  if (token) await post("session", { token }).catch(() => undefined);
  const { default: App } = await import("./App.svelte"); // reads the address when it is loaded
  const target = document.getElementById("app");
  if (!target) throw new Error("index.html has no element #app");
  mount(App, { target });
}

void start();
