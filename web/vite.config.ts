import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  base: "./", // works below any path of a reverse proxy
  plugins: [svelte()],
  resolve: { alias: { $lib: here("./src/lib"), $generated: here("./src/generated") } },
  build: {
    outDir: here("../src/taggram/server/web"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows no data: fonts or scripts
    modulePreload: { polyfill: false },
    license: { fileName: "licences.md" },
    reportCompressedSize: true,
  },
  server: { proxy: { "/api": process.env.TAGGRAM_SERVER ?? "http://127.0.0.1:8765" } },
});
