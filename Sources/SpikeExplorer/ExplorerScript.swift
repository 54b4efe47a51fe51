/// What the live page does.
enum ExplorerScript {
    static let text = #"""
        'use strict';
        const $ = id => document.getElementById(id);
        const perPage = 24;
        let network = null, run = null, step = 1, from = 0, sample = 0, timer = null, asked = 0, drawnWidth = 0;

        async function ask(path) {
          const response = await fetch(path);
          const found = await response.json().catch(() => ({}));
          if (!response.ok) throw new Error(found.error || 'the server answered ' + response.status);
          return found;
        }

        function trouble(error) {
          $('trouble').hidden = !error;
          $('trouble').textContent = error ? 'It did not work: ' + (error.message || error) + '. Is spikelet still running?' : '';
          if (error) $('page').dataset.state = 'failed';
        }

        function bytes(text) { return Uint8Array.from(atob(text), c => c.charCodeAt(0)); }
        function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
        function rgb(name) {
          const hex = colour(name).replace('#', '');
          const wide = hex.length === 3 ? [...hex].map(c => c + c).join('') : hex;
          return [0, 2, 4].map(i => parseInt(wide.slice(i, i + 2), 16));
        }
        function element(name, attributes, text) {
          const made = document.createElement(name);
          for (const key in attributes || {}) made.setAttribute(key, attributes[key]);
          if (text !== undefined) made.textContent = text;
          return made;
        }
        function drawing(name, attributes, text) {
          const made = document.createElementNS('http://www.w3.org/2000/svg', name);
          for (const key in attributes) made.setAttribute(key, attributes[key]);
          if (text !== undefined) made.textContent = text;
          return made;
        }
        function number(value, digits) { return value.toFixed(digits).replace('-', '−'); }

        // Pictures to choose from.

        async function showPictures(first) {
          const last = Math.max(0, network.samples - 1);
          from = Math.max(0, Math.min(first, last));
          const page = await ask('pictures?from=' + from + '&count=' + Math.min(perPage, network.mostPictures));
          $('pictures').replaceChildren(...page.pictures.map(picture => {
            const label = element('label');
            const name = 'image ' + picture.sample + (picture.label === undefined ? '' : ', class ' + picture.label);
            const input = element('input', {type: 'radio', name: 'picture', value: picture.sample, 'aria-label': name});
            input.checked = picture.sample === sample;
            input.addEventListener('change', () => choose(picture.sample));
            const canvas = element('canvas', {width: page.width, height: page.height, 'aria-hidden': 'true'});
            const image = new ImageData(page.width, page.height), pixels = bytes(picture.pixels);
            for (let i = 0; i < page.width * page.height; i++) {
              for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[page.channels * i + (page.channels === 3 ? c : 0)];
              image.data[4 * i + 3] = 255;
            }
            canvas.getContext('2d').putImageData(image, 0, 0);
            label.append(input, canvas, element('small', {}, picture.label === undefined ? picture.sample : picture.label));
            return label;
          }));
          $('from').value = from;
          $('from').max = last;
          $('back').disabled = from === 0;
          $('forth').disabled = from + page.pictures.length > last;
        }

        // One run of the network.

        async function choose(index) {
          sample = index;
          const mine = ++asked;
          $('page').dataset.state = 'loading';
          try {
            const found = await ask('run?sample=' + index);
            if (mine !== asked) return;
            trouble(null);
            for (const layer of found.layers) {
              layer.values = new Int8Array(bytes(layer.spikes).buffer);
              layer.size = layer.channels.length * layer.height * layer.width;
            }
            const isNew = !run || run.layers.length !== found.layers.length;
            run = found;
            $('step').max = run.steps;
            if (isNew) { step = run.steps; makeLayers(); }
            drawScores();
            drawFlow();
            show(Math.min(step, run.steps));
            $('page').dataset.state = 'ready';
          } catch (error) {
            if (mine === asked) trouble(error);
          }
        }

        const nameOf = index => (run.hasPredictions && run.classes.length > 1 ? 'class ' : 'number ') + run.classes[index];

        function show(newStep) {
          step = newStep;
          $('step').value = step;
          $('step').setAttribute('aria-valuetext', 'step ' + step + ' of ' + run.steps);
          $('shown').textContent = step + ' of ' + run.steps;
          const prediction = run.predictions[step - 1];
          const said = run.hasPredictions ? 'class ' + prediction : 'the output is ' + number(run.scores[step - 1][0], 3);
          const parts = ['After ' + step + ' of ' + run.steps + (run.steps === 1 ? ' step: ' : ' steps: ') + said];
          if (!run.hasPredictions && run.ann) parts.push('the ANN gives ' + number(run.ann[0], 3));
          if (!run.hasPredictions && run.scores[0].length > 1) parts.push('and other numbers');
          if (run.hasPredictions && run.label !== undefined) parts.push(prediction === run.label ? 'right' : 'the label is ' + run.label);
          if (run.annPrediction !== undefined) parts.push(prediction === run.annPrediction ? 'the ANN says the same' : 'the ANN says ' + run.annPrediction);
          $('prediction').textContent = parts.join(', ') + '.';
          $('prediction').className = run.label === undefined || !run.hasPredictions ? '' : prediction === run.label ? 'right' : 'wrong';
          for (const cursor of document.querySelectorAll('[data-left]')) {
            cursor.setAttribute('x', +cursor.dataset.left + (step - 1) * cursor.dataset.width);
          }
          $('table').replaceChildren(...run.classes.map((name, index) => {
            const row = element('tr');
            row.append(element('th', {scope: 'row'}, nameOf(index)), element('td', {}, number(run.scores[step - 1][index], 3)));
            if (run.ann) row.append(element('td', {}, number(run.ann[index], 3)));
            return row;
          }));
          run.layers.forEach(drawLayer);
        }

        // The scores of the classes over steps: the strongest in colour, the others faint; the ANN's dashed.

        function drawScores() {
          const width = 400, height = 240, left = 40, right = 10, top = 10, bottom = 34;
          const values = run.scores.flat().concat(run.ann || []);
          const low = Math.min(0, ...values), high = Math.max(...values, low + 1e-6);
          const x = t => left + (t + 0.5) / run.steps * (width - left - right);
          const y = v => top + (high - v) / (high - low) * (height - top - bottom);
          const final = run.scores[run.steps - 1];
          const order = run.classes.map((_, i) => i).sort((a, b) => final[b] - final[a]);
          const strong = order.slice(0, 3);
          const ofANN = run.annPrediction === undefined ? -1 : run.classes.indexOf(run.annPrediction);
          if (ofANN >= 0 && !strong.includes(ofANN)) strong.push(ofANN);
          const svg = drawing('svg', {viewBox: '0 0 ' + width + ' ' + height, role: 'img',
            'aria-label': run.hasPredictions
              ? 'scores of the classes over time steps; the prediction at the end is class ' + run.predictions[run.steps - 1]
              : 'the outputs over time steps'});
          for (let i = 0; i <= 4; i++) {
            const v = low + (high - low) * i / 4;
            svg.append(drawing('line', {x1: left, x2: width - right, y1: y(v), y2: y(v), class: 'grid'}),
              drawing('text', {x: left - 6, y: y(v) + 4, 'text-anchor': 'end'}, number(v, high - low < 10 ? 1 : 0)));
          }
          svg.append(drawing('text', {x: x(0), y: height - 16, 'text-anchor': 'middle'}, 1),
            drawing('text', {x: x(run.steps - 1), y: height - 16, 'text-anchor': 'middle'}, run.steps),
            drawing('text', {x: (left + width) / 2, y: height - 4, 'text-anchor': 'middle', class: 'label'}, 'time step'));
          const cell = (width - left - right) / run.steps;
          svg.append(drawing('rect', {x: left, y: top, width: cell, height: height - top - bottom, class: 'cursor', 'data-left': left,
            'data-width': cell}));
          const path = index => run.scores.map((row, t) => (t ? 'L' : 'M') + x(t).toFixed(1) + ' ' + y(row[index]).toFixed(1)).join('');
          for (const index of order) if (!strong.includes(index)) svg.append(drawing('path', {d: path(index), class: 'other'}));
          strong.forEach((index, place) => {
            svg.append(drawing('path', {d: path(index), class: 'curve c' + place}));
            if (run.ann) svg.append(drawing('line',
              {x1: left, x2: width - right, y1: y(run.ann[index]), y2: y(run.ann[index]), class: 'aim c' + place}));
            if (run.steps === 1) svg.append(drawing('circle', {cx: x(0), cy: y(run.scores[0][index]), r: 3, class: 'c' + place}));
          });
          $('scores').replaceChildren(svg);
          $('legend').replaceChildren(...strong.map((index, place) => {
            const item = element('li');
            item.append(element('span', {class: 'key c' + place}), nameOf(index));
            return item;
          }));
          $('scores-caption').textContent = 'The output so far after each step' + (run.ann ? '; dashed, what the ANN gives.' : '.');
        }

        // All layers over all steps.

        function drawFlow() {
          const width = Math.max(320, Math.min(1000, $('flow').clientWidth || 0)), row = 18, left = 132, right = 8;
          drawnWidth = width;
          const cell = (width - left - right) / run.steps, height = run.layers.length * row + 24;
          const svg = drawing('svg', {viewBox: '0 0 ' + width + ' ' + height, role: 'img', class: 'wide',
            'aria-label': 'share of spiking neurons of ' + run.layers.length + ' layers in each of ' + run.steps + ' steps'});
          const most = Math.max(...run.layers.map(l => Math.max(...l.totals) / l.neurons), 1e-9);
          run.layers.forEach((layer, index) => {
            const name = layer.label.length > 19 ? '…' + layer.label.slice(-18) : layer.label;
            svg.append(drawing('text', {x: left - 6, y: index * row + 13, 'text-anchor': 'end'}, name));
            svg.append(drawing('rect', {x: left, y: index * row, width: width - left - right, height: row - 2, class: 'empty'}));
            layer.totals.forEach((total, t) => {
              if (!total) return;
              const density = total / layer.neurons;
              const box = drawing('rect', {x: (left + t * cell).toFixed(2), y: index * row, width: Math.max(0.5, cell - 0.5).toFixed(2),
                height: row - 2, class: 'c0', opacity: (0.1 + 0.9 * density / most).toFixed(3)});
              box.append(drawing('title', {}, layer.label + ', step ' + (t + 1) + ': ' + total + ' spikes of ' + layer.neurons + ' neurons'));
              svg.append(box);
            });
          });
          svg.append(drawing('rect', {x: left, y: 0, width: cell, height: height - 25, class: 'cursor', 'data-left': left, 'data-width': cell}));
          svg.append(drawing('text', {x: left, y: height - 6}, '1'),
            drawing('text', {x: (left + width) / 2, y: height - 6, 'text-anchor': 'middle', class: 'label'}, 'time step'),
            drawing('text', {x: width - right, y: height - 6, 'text-anchor': 'end'}, run.steps));
          $('flow').replaceChildren(svg);
        }

        // A card for each layer: what spikes in this step, and how often each neuron has spiked so far.

        // How many channels stand in a row.
        const across = layer => Math.min(4, layer.channels.length);

        function makeLayers() {
          $('layers').replaceChildren(...run.layers.map(layer => {
            const card = element('article', {class: 'layer'});
            const isFlat = layer.channels.length === 1 && layer.width > 1;
            const [now, rate] = ['now', 'rate'].map(name => element('canvas', {role: 'img', 'data-name': name, class: isFlat ? 'flat' : '',
              width: across(layer) * (layer.width + 1) - 1,
              height: Math.ceil(layer.channels.length / across(layer)) * (layer.height + 1) - 1}));
            card.append(element('h3', {}, layer.label), element('p', {class: 'note', 'data-name': 'facts'}),
              element('p', {class: 'caption note'}, 'this step'), now, element('p', {class: 'caption note'}, 'so far'), rate);
            return card;
          }));
        }

        function drawLayer(layer, index) {
          const card = $('layers').children[index];
          if (!layer.sums || layer.sumsAt > step) { layer.sums = new Float32Array(layer.size); layer.sumsAt = 0; }
          for (; layer.sumsAt < step; layer.sumsAt++) {
            const offset = layer.sumsAt * layer.size;
            for (let i = 0; i < layer.size; i++) layer.sums[i] = run.growth * layer.sums[i] + layer.values[offset + i];
          }
          const spikes = layer.totals[step - 1], all = layer.totals.slice(0, step).reduce((a, b) => a + b, 0);
          card.querySelector('[data-name=facts]').textContent = layer.kind + ', ' + layer.neurons + ' neurons'
            + (layer.channels.length > 1 ? ' (' + layer.channels.length + ' channels shown)' : '') + ': '
            + spikes + ' spikes in this step, ' + number(all / layer.neurons, 2) + ' per neuron so far';
          const plus = rgb('--c0'), minus = rgb('--c1'), ink = rgb('--ink');
          const offset = (step - 1) * layer.size;
          paint(card.querySelector('[data-name=now]'), layer, i => {
            const value = layer.values[offset + i];
            return value === 0 ? null : [value > 0 ? plus : minus, 1];
          }, 'spikes of ' + layer.label + ' in step ' + step + ': ' + spikes);
          let most = 1e-9;
          for (const value of layer.sums) most = Math.max(most, Math.abs(value));
          paint(card.querySelector('[data-name=rate]'), layer, i => {
            const value = layer.sums[i];
            return value === 0 ? null : [value > 0 ? ink : minus, Math.abs(value) / most];
          }, 'rates of ' + layer.label + ' after ' + step + ' steps, ' + number(all / layer.neurons, 2) + ' spikes per neuron');
        }

        function paint(canvas, layer, colourOf, label) {
          canvas.setAttribute('aria-label', label);
          const image = new ImageData(canvas.width, canvas.height), place = layer.height * layer.width, paper = rgb('--paper');
          for (let i = 0; i < layer.size; i++) {
            const [ink, share] = colourOf(i) || [paper, 1];
            const channel = Math.floor(i / place), rest = i % place;
            const x = channel % across(layer) * (layer.width + 1) + rest % layer.width;
            const y = Math.floor(channel / across(layer)) * (layer.height + 1) + Math.floor(rest / layer.width);
            const at = 4 * (y * canvas.width + x);
            image.data.set([...ink.map((c, k) => c * share + paper[k] * (1 - share)), 255], at);
          }
          canvas.getContext('2d').putImageData(image, 0, 0);
        }

        // What a person does.

        function stop() {
          clearInterval(timer);
          timer = null;
          $('play').textContent = 'Play';
          $('play').setAttribute('aria-pressed', 'false');
          $('prediction').setAttribute('aria-live', 'polite');
        }
        $('play').addEventListener('click', () => {
          if (timer) return stop();
          if (!run) return;
          $('play').textContent = 'Pause';
          $('play').setAttribute('aria-pressed', 'true');
          $('prediction').setAttribute('aria-live', 'off');
          if (step >= run.steps) show(1);
          timer = setInterval(() => { if (step >= run.steps) stop(); else show(step + 1); }, 220);
        });
        $('step').addEventListener('input', () => { if (run) { stop(); show(+$('step').value); } });
        $('back').addEventListener('click', () => showPictures(from - perPage).catch(trouble));
        $('forth').addEventListener('click', () => showPictures(from + perPage).catch(trouble));
        $('from').addEventListener('change', () => showPictures(Math.floor(+$('from').value) || 0).catch(trouble));
        addEventListener('resize', () => {
          if (run && Math.abs(drawnWidth - $('flow').clientWidth) > 8) { drawFlow(); show(step); }
        });
        matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { if (run) show(step); });

        (async () => {
          try {
            network = await ask('network');
            $('title').textContent = network.network + ' · ' + network.recipe;
            document.title = network.network + ' – Spikelet explorer';
            $('about').textContent = network.code + ' code, ' + network.schedule + ' schedule, ' + network.steps + ' time steps; '
              + network.samples + ' images' + (network.hasANN ? '; the ANN beside' : '') + '.';
            $('ann-head').hidden = !network.hasANN;
            await showPictures(0);
            await choose(0);
          } catch (error) { trouble(error); }
        })();
        """#
}
