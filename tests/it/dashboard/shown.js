// What a person sees of the dashboard, as data.
(() => {
  const $ = id => document.getElementById(id);
  const seen = element => element.checkVisibility() && element.getBoundingClientRect().width > 0;
  const text = id => (seen($(id)) ? $(id).innerText : '');
  const color = element => getComputedStyle(element).backgroundColor;
  const nodes = [...document.querySelectorAll('.node')].map(node => ({
    className: node.className, title: node.querySelector('button').textContent, about: node.querySelector('button').title,
    pods: [...node.querySelectorAll('.pod')].map(pod => ({ about: pod.title, tone: pod.className.split(' ')[1], color: color(pod), size: pod.getBoundingClientRect().width })),
  }));
  const story = [...document.querySelectorAll('#story-rows li')].filter(seen).map(row => ({
    name: row.querySelector('.name').textContent, marks: [...row.querySelectorAll('i')].map(mark => mark.title),
  }));
  const legend = [...document.querySelectorAll('#legend li')].map(entry => entry.innerText);
  return {
    nodes, story, legend, title: text('story-title'), summary: text('summary'), trouble: text('trouble'), dense: document.body.classList.contains('dense'),
    detail: seen($('detail')) ? { title: text('detail-title'), events: text('detail-events'), yaml: text('detail-yaml') } : null,
    wide: document.documentElement.scrollWidth > innerWidth,
  };
})()
