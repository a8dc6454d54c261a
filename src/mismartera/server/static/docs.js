// The API's description, readable: made from /openapi.json alone.

const make = (tag, text, parent) => parent.appendChild(Object.assign(document.createElement(tag), { textContent: text }));

function sample(schema, all, depth = 0) {
  if (!schema || depth > 4) return null;
  if (schema.$ref) return sample(all[schema.$ref.split("/").pop()], all, depth + 1);
  if (schema.anyOf) return sample(schema.anyOf[0], all, depth + 1);
  if (schema.type === "object") return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, part]) => [name, sample(part, all, depth + 1)]));
  if (schema.type === "array") return [sample(schema.items, all, depth + 1)];
  return { string: "text", number: 1.5, integer: 1, boolean: true }[schema.type] ?? null;
}

function table(heads, rows, parent) {
  const box = make("table", "", parent);
  const head = make("tr", "", box);
  heads.forEach((text) => make("th", text, head));
  for (const row of rows) {
    const line = make("tr", "", box);
    row.forEach((text) => make("td", text, line));
  }
}

function show(path, method, operation, all) {
  const box = document.getElementById("operations").appendChild(document.createElement("details"));
  const head = make("summary", "", box);
  make("b", method.toUpperCase(), head);
  head.append(path);
  make("span", operation.summary, head);
  make("p", operation.description ?? "", box);
  const parameters = (operation.parameters ?? []).map((p) => [p.name, p.in, p.required ? "required" : `default ${p.schema?.default ?? "none"}`, p.description ?? ""]);
  if (parameters.length) table(["parameter", "in", "", ""], parameters, box);
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  if (body) { make("h2", "Body", box); make("pre", JSON.stringify(sample(body, all), null, 2), box); }
  make("h2", "Answers", box);
  table(["status", "", "as"], Object.entries(operation.responses).map(([status, reply]) => [status, reply.description ?? "", Object.keys(reply.content ?? {}).join(", ")]), box);
}

const reply = await fetch("/openapi.json", { credentials: "same-origin" });
if (reply.ok) {
  const found = await reply.json();
  document.getElementById("title").textContent = `${found.info.title} ${found.info.version}: the API`;
  document.getElementById("about").textContent = found.info.description;
  for (const [path, kinds] of Object.entries(found.paths)) for (const [method, operation] of Object.entries(kinds)) show(path, method, operation, found.components.schemas);
} else document.getElementById("about").textContent = "Sign in on the page first.";
