// The data of the page: blocks of base64 that are unpacked when they are needed.
const blocks = (kind) => [...document.querySelectorAll(`script[data-kind="${kind}"]`)];

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

async function unpack(node) {
  const stream = new Blob([bytesOf(node.textContent)])
    .stream()
    .pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

// Elements are made of text nodes only: no text ever becomes markup.
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// Times are written in UTC or, on request, in the reader's zone; the other is told on hover.
let local = false;
const utcText = (ms) =>
  new Date(ms)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z/, "Z");
const localText = (ms) =>
  new Date(ms).toLocaleString(undefined, {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  });

function dress(node) {
  const ms = Date.parse(node.dateTime);
  node.textContent = local ? localText(ms) : utcText(ms);
  node.title = local ? utcText(ms) : localText(ms);
  return node;
}

const timeNode = (ms) => (ms === null ? "-" : dress(el("time", { datetime: new Date(ms).toISOString() })));

// A duration in its two biggest units, in the words of the other commands.
function span(ms) {
  const seconds = ms / 1000;
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  let left = Math.round(seconds);
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const number = Math.floor(left / size);
    left %= size;
    if (number || parts.length) parts.push(`${number} ${unit}`);
  }
  return parts.slice(0, 2).filter((part) => !part.startsWith("0 ")).join(" ");
}

// An amount in plain digits, with two decimals at least.
function usd(amount) {
  if (amount === null) return "unknown";
  const [whole, cents = ""] = amount.split(".");
  return `$${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${cents.padEnd(2, "0")}`;
}

const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

// The records of the items, by blocks of 256; the last blocks used are kept unpacked.
class Records {
  constructor(nodes, size, kept = 60) {
    Object.assign(this, { nodes, size, kept, unpacked: new Map() });
  }

  lines(block) {
    let found = this.unpacked.get(block);
    if (found) this.unpacked.delete(block);
    else found = unpack(this.nodes[block]).then((text) => text.split("\n"));
    this.unpacked.set(block, found);
    if (this.unpacked.size > this.kept) this.unpacked.delete(this.unpacked.keys().next().value);
    return found;
  }

  // null where the file had no room for it
  async record(index) {
    const line = (await this.lines(Math.floor(index / this.size)))[index % this.size];
    return line ? JSON.parse(line) : null;
  }
}

function* textsOf(value) {
  if (typeof value === "string") yield value;
  else if (Array.isArray(value)) for (const inner of value) yield* textsOf(inner);
}
