(function () {
  "use strict";
  var root = document.documentElement;
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  var darkPartner = JSON.parse(document.getElementById("colors").textContent).dark;
  var panels = Array.prototype.slice.call(document.querySelectorAll(".panel"));

  function remembered(value) {
    // storage is closed to pages opened from a file in some browsers
    try {
      if (value) window.localStorage.setItem("genoken-theme", value);
      return window.localStorage.getItem("genoken-theme");
    } catch (error) {
      return null;
    }
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  }

  // replace light colors by their dark partners, below keys that name colors only: a gene may be called like a color
  function recolor(value, isColor) {
    if (Array.isArray(value)) return value.map(function (item) { return recolor(item, isColor); });
    if (value && typeof value === "object") {
      var result = {};
      Object.keys(value).forEach(function (key) { result[key] = recolor(value[key], /color/i.test(key)); });
      return result;
    }
    if (isColor && typeof value === "string" && value.charAt(0) === "#") {
      var partner = darkPartner[value.slice(0, 7)];
      return partner ? partner + value.slice(7) : value;
    }
    return value;
  }

  // a plot follows the width of its box, whatever changes it
  var sizes = "ResizeObserver" in window && new ResizeObserver(function (entries) {
    entries.forEach(function (entry) {
      var box = entry.target;
      if (box._fullLayout && box.clientWidth && Math.abs(box._fullLayout.width - box.clientWidth) > 1) Plotly.Plots.resize(box);
    });
  });

  function setPath(target, path, value) {
    var keys = path.split(".");
    var last = keys.pop();
    keys.forEach(function (key) { target = target[key] = target[key] || {}; });
    target[last] = value;
  }

  function applyView(spec, name) {
    var view = spec.views.filter(function (item) { return item.name === name; })[0];
    if (!view) return;
    spec.data.forEach(function (trace, index) { trace.visible = view.visible[index]; });
    Object.keys(view.layout).forEach(function (path) { setPath(spec.layout, path, view.layout[path]); });
  }

  function hideGroups(panel, spec) {
    panel.querySelectorAll(".legend li:not([hidden]) button[aria-pressed='false']").forEach(function (button) {
      spec.data.forEach(function (trace) {
        if (trace.legendgroup === button.dataset.group) trace.visible = false;
      });
    });
  }

  // leave out tick labels that would overlap; hovering names every row and column
  function thinTicks(axis, room) {
    if (!axis || !axis.tickvals || !axis.ticktext) return;
    var step = Math.ceil(axis.tickvals.length * 14 / room);
    if (step < 2) return;
    function kept(value, index) { return index % step === 0; }
    axis.tickvals = axis.tickvals.filter(kept);
    axis.ticktext = axis.ticktext.filter(kept);
  }

  function draw(panel) {
    panel.querySelectorAll(".plot").forEach(function (box) {
      var spec = JSON.parse(document.getElementById(box.id + "-data").textContent);
      applyView(spec, panel.dataset.view);
      hideGroups(panel, spec);
      if (isDark()) {
        spec.data = recolor(spec.data, false);
        spec.layout = recolor(spec.layout, false);
      }
      var narrow = box.clientWidth < 480;
      thinTicks(spec.layout.xaxis, 0.6 * box.clientWidth);
      thinTicks(spec.layout.yaxis, box.clientHeight - 60);
      if (narrow) {
        spec.layout.font = { size: 11.5 };
        spec.layout.margin = { l: 4, r: 8, t: 8, b: 8 };
        spec.layout.dragmode = false;
      }
      var config = {
        displaylogo: false,
        displayModeBar: narrow ? false : "hover",
        modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"]
      };
      Plotly.react(box, spec.data, spec.layout, config);
      if (sizes) sizes.observe(box);
    });
  }

  function selectView(panel, name) {
    panel.dataset.view = name;
    panel.querySelectorAll(".views button").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    });
    panel.querySelectorAll(".legend li").forEach(function (entry) {
      entry.hidden = Boolean(entry.dataset.view) && entry.dataset.view !== name;
    });
    draw(panel);
  }

  panels.forEach(function (panel) {
    panel.querySelectorAll(".views button").forEach(function (button) {
      button.addEventListener("click", function () { selectView(panel, button.dataset.view); });
    });
    var select = panel.querySelector(".views select");
    if (select) {
      select.selectedIndex = 0;
      select.addEventListener("change", function () { selectView(panel, select.value); });
    }
    panel.querySelectorAll(".legend button").forEach(function (button) {
      button.addEventListener("click", function () {
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
        draw(panel);
      });
    });
  });

  // one panel at a time, so that the page can be read while the rest is drawn
  function drawAll() {
    var waiting = panels.slice();
    (function next() {
      var panel = waiting.shift();
      if (!panel) return;
      draw(panel);
      window.setTimeout(next, 0);
    })();
  }

  function nameTheme() {
    document.getElementById("theme-name").textContent = isDark() ? "Light" : "Dark";
  }

  root.dataset.theme = remembered() || "";
  if (!root.dataset.theme) delete root.dataset.theme;
  document.getElementById("theme").addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
    nameTheme();
    drawAll();
  });
  system.addEventListener("change", function () {
    nameTheme();
    drawAll();
  });
  if (window.innerWidth <= 1020) document.querySelectorAll("nav details").forEach(function (box) { box.open = false; });

  if ("IntersectionObserver" in window) {
    var links = {};
    document.querySelectorAll("nav a").forEach(function (link) { links[link.hash.slice(1)] = link; });
    var observer = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) return;
        Object.keys(links).forEach(function (key) { links[key].classList.toggle("current", key === entry.target.id); });
      });
    }, { rootMargin: "-15% 0px -75% 0px" });
    document.querySelectorAll("main section").forEach(function (part) { observer.observe(part); });
  }
  nameTheme();
  drawAll();
})();
