/** How numbers and times are written. */

/** "m:ss", or "h:mm:ss" from one hour on; the same as the picture's axis. */
export function formatTime(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A time for the ear: "1 minute 5 seconds". */
export function speakTime(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor((whole % 3600) / 60), "minute"],
    [whole % 60, "second"],
  ];
  const spoken = parts.filter(([count]) => count).map(([count, unit]) => `${count} ${unit}${count > 1 ? "s" : ""}`);
  return spoken.join(" ") || "0 seconds";
}

/** A score in [0, 1] with two digits. */
export function formatScore(score: number): string {
  return score.toFixed(2);
}

/** Bytes for people: "3.4 MB". */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

/** "1,234". */
export function formatCount(count: number): string {
  return count.toLocaleString("en-GB");
}

/** "1 track", "3 tracks". */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A file's name without its last extension. */
export function stem(fileName: string): string {
  return fileName.replace(/\.[^.]{1,5}$/, "") || fileName;
}
