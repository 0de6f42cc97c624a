// What the server tells, in words and lists: the account of a scene, moments, recordings.

const OF = (id) => document.getElementById(id);

export function options(select, names, chosen) {
  select.replaceChildren(...names.map((name) => new Option(plain(name), name, false, name === chosen)));
}

export function problem(text) {
  OF("problem").textContent = text;
  OF("problem").hidden = !text;
}

// The text with what was understood and what was not marked in it, then each as a line.
export function account(told) {
  OF("account").hidden = !told;
  if (!told) return;
  const parts = [], characters = [...told.text];
  let at = 0;
  for (const { start, end, role, says } of told.marks) {
    if (start < at) continue;
    parts.push(characters.slice(at, start).join(""), element("mark", characters.slice(start, end).join(""), role, plain(says)));
    at = end;
  }
  OF("said").replaceChildren(...parts, characters.slice(at).join(""));
  list("understood", told.understood, (each) => [element("b", each.text), ` ${plain(each.means)}`]);
  list("assumed", told.assumed, (each) => [element("b", plain(each.key)), ` ${plain([each.value].flat().join(" or "))}: ${each.why}`]);
  list("unsupported", told.unsupported, (each) => [element("b", each.text), ` ${each.why}`, each.nearest ? `; nearest: ${each.nearest}` : ""]);
}

export function addMoment({ moment, name, step }, picture, on) {
  const item = element("li", "", "moment");
  item.dataset.moment = moment;
  const image = element("img");
  image.src = picture;
  image.alt = "";
  const button = (text, act) => {
    const made = element("button", text, "small");
    made.addEventListener("click", () => act(moment));
    return made;
  };
  const forget = button("×", on.forget);
  forget.classList.add("quiet");
  forget.setAttribute("aria-label", "Let go of this moment");
  const words = element("p", `${name}, ${(step / 10).toFixed(1)} s`);
  const act = element("p", "", "row");
  act.append(button("Return", on.back), button("Two futures", on.branch));
  item.append(image, words, forget, act);
  OF("moments").append(item);
  OF("moments-section").hidden = false;
}

export function removeMoment(number) {
  document.querySelector(`li[data-moment="${number}"]`)?.remove();
  OF("moments-section").hidden = !OF("moments").children.length;
}

export function addRecording({ video, folder, episode, seconds }) {
  const item = element("li"), link = element("a", video);
  link.href = `/recordings/${encodeURIComponent(video)}`;
  link.download = video;
  item.append(link, element("small", `${seconds.toFixed(1)} s · episode ${episode} of ${folder}`));
  OF("recordings").prepend(item);
  OF("recordings-section").hidden = false;
}

function list(id, entries, line) {
  OF(id).replaceChildren(...entries.map((each) => {
    const item = element("li");
    item.append(...line(each));
    return item;
  }));
}

function plain(name) {
  return name.replaceAll("_", " ");
}

function element(name, text = "", role = "", title = "") {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (role) made.className = role;
  if (title) made.title = title;
  return made;
}
