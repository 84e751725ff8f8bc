// What happens when the page is opened.
async function drawMoney() {
  const [node] = blocks("money");
  if (!node) return;
  const points = JSON.parse(await unpack(node));
  const slider = document.getElementById("moment");
  const drawing = document.getElementById("money");
  const cursor = drawing.querySelector(".cursor");
  const text = document.getElementById("moment-text");
  const [first, last] = [...document.querySelectorAll(".times time")].map((time) =>
    Date.parse(time.dateTime),
  );
  const show = () => {
    const [at, spent, held, limit] = points[slider.value];
    const x = ((at - first) / Math.max(last - first, 1)) * 1000;
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, x);
    const known = limit === null ? "no limit" : `limit ${limit}`;
    text.replaceChildren(timeNode(at), `: ${spent} spent, ${held} reserved, ${known}`);
    slider.setAttribute("aria-valuetext", text.textContent);
  };
  slider.addEventListener("input", () => {
    cursor.removeAttribute("hidden");
    show();
  });
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const at = first + ((event.clientX - box.left) / box.width) * (last - first);
    const next = points.findIndex((point) => point[0] > at);
    slider.value = next < 0 ? points.length - 1 : Math.max(next - 1, 0);
    cursor.removeAttribute("hidden");
    show();
  });
  show();
}

async function main() {
  for (const node of document.querySelectorAll("time")) dress(node);
  for (const part of document.querySelectorAll(".part")) part.style.flex = part.dataset.share;
  const zone = document.getElementById("zone");
  zone.addEventListener("click", () => {
    local = !local;
    zone.setAttribute("aria-pressed", String(local));
    zone.textContent = local ? "Times are local. Show UTC" : "Times are UTC. Show local time";
    for (const node of document.querySelectorAll("time")) dress(node);
  });
  const now = Date.parse(document.querySelector("header time").dateTime);
  const [columns, jobs, cut, look, places] = await Promise.all(
    ["columns", "jobs", "cut", "look", "places"].map(async (kind) => JSON.parse(await unpack(blocks(kind)[0]))),
  );
  jobsTable(document.getElementById("jobs"), jobs, now);
  const names = (await Promise.all(blocks("names").map(unpack))).flatMap((text) => JSON.parse(text));
  const items = new Items(
    document.getElementById("items"),
    columns,
    names,
    new Records(blocks("items"), 256),
    cut,
    look,
    places,
  );
  for (const button of document.querySelectorAll("[data-failed]")) {
    button.addEventListener("click", () => items.showFailed(button.dataset.failed));
  }
  const follow = () => {
    const found = /^#item-(\d+)$/.exec(location.hash);
    if (found) items.table.open(Number(found[1]));
  };
  addEventListener("hashchange", follow);
  follow();
  await drawMoney();
  document.documentElement.dataset.ready = "yes";
}

main().catch((error) => {
  document.getElementById("trouble").textContent =
    `The tables could not be drawn (${error}); a current browser draws them.`;
  throw error;
});
