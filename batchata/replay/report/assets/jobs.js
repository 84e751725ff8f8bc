// Jobs as bars on the time axis of the page that is shown: sending, at the provider, being collected.
const toneClass = (tone) => (tone === "open" ? "open-tone" : tone);

function parts(job, now) {
  const end = job.closed ?? now;
  const lost = job.tone === "bad";
  if (job.submitted === null)
    return [[lost ? "lost" : job.tone === "odd" ? "unsure" : "sending", job.started, end]];
  const done = job.ended ?? end;
  return [
    ["sending", job.started, job.submitted],
    [lost && job.ended === null ? "lost" : "waiting", job.submitted, done],
    [lost ? "lost" : "collecting", done, end],
  ];
}

function bar(job, from, to, now) {
  const x = (ms) => ((ms - from) / Math.max(to - from, 1)) * 1000;
  const node = svg("svg", { class: "bar", viewBox: "0 0 1000 20", preserveAspectRatio: "none", role: "img" });
  const words = `${job.state}, ${span((job.closed ?? now) - job.started)}, ${count(job.polled, "poll")}`;
  node.setAttribute("aria-label", words);
  node.append(svg("title", {}, words), svg("line", { class: "base", x1: 0, x2: 1000, y1: 10, y2: 10 }));
  for (const [name, begin, end] of parts(job, now)) {
    if (end > begin)
      node.append(
        svg("rect", { class: name, x: x(begin), y: 4, width: Math.max(x(end) - x(begin), 2), height: 12 }),
      );
  }
  if (job.polls.length)
    node.append(
      svg("path", { class: "polls", d: job.polls.map((at) => `M${x(at).toFixed(1)} 1v18`).join("") }),
    );
  return node;
}

function jobDetail(job, now) {
  const rows = [
    ["items", `${job.items}: ${job.which}`],
    ["batch", job.batch ?? "none known"],
    ["intent written", timeNode(job.started)],
    ["submitted", timeNode(job.submitted)],
    ["seen to have ended", timeNode(job.ended)],
    ["closed", timeNode(job.closed)],
    ["polls", String(job.polled)],
    ["requests", job.requests || "-"],
    ["cost", job.cost],
  ];
  if (job.reserved !== null) rows.push(["still reserved", job.reserved]);
  if (job.error !== null) rows.push(["how the call to create it ended", job.error]);
  return [
    el("dl", {}, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { dir: "auto" }, value)])),
  ];
}

function jobsTable(host, jobs, now) {
  const took = (job) => (job.closed ?? now) - job.started;
  const money = (text) => (text === "unknown" ? null : Number(text.slice(1)));
  const axis = el("span", { class: "span" });
  const keys = [
    ["sending", "being sent"],
    ["waiting", "at the provider"],
    ["collecting", "being collected"],
    ["unsure", "unknown whether a batch exists"],
    ["lost", "not sent or given up"],
    ["polls", "poll"],
  ];
  host.append(
    el(
      "ul",
      { class: "legend" },
      ...keys.map(([name, words]) =>
        el("li", {}, el("i", { class: `key ${name}`, "aria-hidden": "true" }), words),
      ),
    ),
  );
  let range = [0, 1];
  const columns = [
    {
      key: "job",
      name: "Job",
      number: true,
      sort: (i) => jobs[i].number,
      cell: (i) => opener(jobs[i].number, `job ${jobs[i].number}, details`),
    },
    {
      key: "items",
      name: "Items",
      number: true,
      sort: (i) => jobs[i].items,
      cell: (i) => jobs[i].items.toLocaleString("en"),
    },
    {
      key: "state",
      name: "State",
      sort: (i) => jobs[i].state,
      cell: (i) => el("span", { class: toneClass(jobs[i].tone) }, jobs[i].state),
    },
    { key: "bar", name: axis, cell: (i) => el("div", { "data-job": i }) },
    {
      key: "took",
      name: "Took",
      number: true,
      sort: (i) => took(jobs[i]),
      cell: (i) => span(took(jobs[i])) + (jobs[i].closed === null ? " so far" : ""),
    },
    {
      key: "requests",
      name: "Requests",
      sort: (i) => jobs[i].requests,
      cell: (i) => jobs[i].requests || "-",
    },
    { key: "cost", name: "Cost", number: true, sort: (i) => money(jobs[i].cost), cell: (i) => jobs[i].cost },
  ];
  new Table(host, {
    columns,
    total: jobs.length,
    noun: "job",
    size: 25,
    empty: "No job was made.",
    detail: async (i) => jobDetail(jobs[i], now),
    drawn(shown) {
      // all bars of a page on one axis, as wide as they need
      range = [
        Math.min(...shown.map((i) => jobs[i].started)),
        Math.max(...shown.map((i) => jobs[i].closed ?? now)),
      ];
      if (shown.length) axis.replaceChildren(timeNode(range[0]), timeNode(range[1]));
      for (const place of host.querySelectorAll("[data-job]"))
        place.replaceChildren(bar(jobs[place.dataset.job], ...range, now));
    },
  });
}
