"use strict";
// A video plays while it is in view; its charts show where it stands and let the reader jump.
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const paused = new WeakSet();  // by the reader

const inView = new IntersectionObserver((entries) => {
  for (const { target: video, isIntersecting } of entries) {
    if (!isIntersecting) video.pause();
    else if (!still && !paused.has(video)) video.play().catch(() => {});
  }
}, { threshold: 0.5 });

for (const scene of document.querySelectorAll(".scene")) {
  const video = scene.querySelector("video");
  const heads = [...scene.querySelectorAll(".plot")].map((plot) => {
    const head = document.createElement("i");
    head.className = "head";
    return plot.appendChild(head);
  });
  const show = () => {
    const share = video.duration ? video.currentTime / video.duration : 0;
    for (const head of heads) head.style.left = `${100 * share}%`;
  };
  const follow = () => {
    show();
    if (!video.paused) requestAnimationFrame(follow);
  };
  video.addEventListener("play", () => { paused.delete(video); follow(); });
  video.addEventListener("seeked", show);
  video.addEventListener("click", () => { if (!video.paused) paused.add(video); });
  for (const plot of scene.querySelectorAll(".plot")) {
    plot.addEventListener("click", (event) => {
      const box = plot.getBoundingClientRect();
      if (video.duration) video.currentTime = video.duration * (event.clientX - box.left) / box.width;
    });
  }
  inView.observe(video);
}
