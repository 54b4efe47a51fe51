/// What is asked of every page: that it can be read by people with small and large windows, without a mouse, without eyes, and with
/// eyes that need contrast. The rules are those of WCAG 2.1, levels A and AA, as far as a program can judge them.
enum PageChecks {
    /// An expression whose value is a list of sentences, one for each fault.
    static let script = #"""
        (() => {
          const faults = [];
          const shown = e => {
            const box = e.getBoundingClientRect(), style = getComputedStyle(e);
            return box.width > 0 && box.height > 0 && style.visibility !== 'hidden' && style.display !== 'none';
          };
          const name = e => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + (typeof e.className === 'string' && e.className ? '.' + e.className : '')
            + ' "' + (e.textContent || '').trim().slice(0, 30) + '"';

          // The page as a whole.
          if (!document.documentElement.lang) faults.push('the page has no language');
          if (!document.title.trim()) faults.push('the page has no title');
          if (!document.querySelector('meta[name=viewport]')) faults.push('the page has no viewport');
          if (document.querySelectorAll('main').length !== 1) faults.push('the page has not one main part');
          const overflow = document.documentElement.scrollWidth - innerWidth;
          if (overflow > 0) {
            const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
              .filter(e => !e.closest('.scroll')).slice(0, 3).map(name);
            faults.push('the page is ' + overflow + ' pixels wider than its window: ' + wide.join(', '));
          }
          const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
          for (const id of new Set(ids)) if (ids.filter(i => i === id).length > 1) faults.push('two elements have the id ' + id);

          // Headings.
          const levels = [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].filter(shown).map(e => +e.tagName[1]);
          if (levels.filter(l => l === 1).length !== 1) faults.push('the page has ' + levels.filter(l => l === 1).length + ' first headings');
          levels.forEach((l, i) => { if (i && l > levels[i - 1] + 1) faults.push('a heading of level ' + l + ' follows one of ' + levels[i - 1]); });

          // Drawings: something is in them, and they say what.
          for (const svg of document.querySelectorAll('svg')) {
            if (!svg.closest('[hidden], details:not([open])') && !shown(svg)) faults.push('a drawing has no size: ' + name(svg));
            const label = svg.getAttribute('aria-label') || svg.querySelector(':scope > title')?.textContent || '';
            if (svg.getAttribute('role') !== 'img' || label.trim().length < 5) faults.push('a drawing says not what it shows: ' + name(svg));
            const drawn = [...svg.querySelectorAll('path,rect,circle,line,polyline,polygon')].filter(e => {
              if (e.matches('.grid, .axis, .cursor')) return false;
              const box = e.getBBox();
              return box.width > 0 || box.height > 0;
            });
            if (!drawn.length) faults.push('a drawing is empty: ' + label);
            const view = svg.viewBox.baseVal;
            if (shown(svg)) for (const text of svg.querySelectorAll('text')) {
              const size = parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width / view.width;
              if (size < 9) { faults.push('text of ' + size.toFixed(1) + ' pixels in: ' + label); break; }
            }
            for (const text of svg.querySelectorAll('text')) {
              const box = text.getBBox();
              if (box.x < view.x - 1 || box.x + box.width > view.x + view.width + 1 || box.y + box.height > view.y + view.height + 2)
                faults.push('text is cut off in "' + label + '": ' + text.textContent);
            }
          }
          for (const canvas of document.querySelectorAll('canvas')) {
            if (canvas.closest('[aria-hidden=true]') || canvas.getAttribute('aria-hidden') === 'true') continue;
            if (canvas.getAttribute('role') !== 'img' || !(canvas.getAttribute('aria-label') || '').trim())
              faults.push('a picture says not what it shows: ' + name(canvas));
          }
          for (const image of document.querySelectorAll('img')) if (!image.alt) faults.push('an image has no alternative text');

          // Controls: each has a name, and the keyboard reaches it.
          for (const control of document.querySelectorAll('a[href],button,input,select,textarea,summary')) {
            const labels = [control.getAttribute('aria-label'), ...[...(control.labels || [])].map(l => l.textContent), control.title,
              control.matches('button,a,summary') ? control.textContent : ''];
            if (!labels.some(l => (l || '').trim())) faults.push('a control has no name: ' + name(control));
            if (control.tabIndex < 0) faults.push('the keyboard does not reach ' + name(control));
          }
          for (const part of document.querySelectorAll('body *')) {
            const style = getComputedStyle(part);
            if (/auto|scroll/.test(style.overflowX) && part.scrollWidth > part.clientWidth + 1 && part.tabIndex < 0)
              faults.push('what scrolls cannot be scrolled by keyboard: ' + name(part));
            if (part.tabIndex > 0) faults.push('an order of its own: ' + name(part));
          }
          for (const table of document.querySelectorAll('table'))
            if (!table.querySelector('th[scope]')) faults.push('a table has no headers');

          // Contrast of text with what is behind it.
          const parse = text => {
            const parts = (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
            return text.startsWith('color(srgb') ? [parts[0] * 255, parts[1] * 255, parts[2] * 255, parts[3] ?? 1]
              : [parts[0], parts[1], parts[2], parts[3] ?? 1];
          };
          const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
          const behind = e => {
            const layers = [];
            for (let at = e; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
            return layers.reduceRight((under, top) => over(top, under), [255, 255, 255, 1]);
          };
          const light = c => {
            const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
          let texts = 0;
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const e = node.parentElement;
            if (!node.textContent.trim() || e.closest('script,style,[hidden],title') || !shown(e) || e.closest(':disabled')) continue;
            texts++;
            const style = getComputedStyle(e), inSVG = e instanceof SVGElement;
            const ground = behind(inSVG ? e.closest('svg').parentElement : e);
            const ink = over(parse(inSVG ? style.fill : style.color), ground);
            const size = parseFloat(style.fontSize), isLarge = size >= 24 || size >= 18.66 && +style.fontWeight >= 700;
            const found = ratio(ink, ground);
            if (found < (isLarge ? 3 : 4.5)) faults.push('contrast ' + found.toFixed(2) + ' of ' + name(e));
          }
          if (texts < 20) faults.push('only ' + texts + ' texts were found to judge');
          // Curves and keys of legends: 3 to 1.
          for (const mark of document.querySelectorAll('.key, path.curve, .ann')) {
            if (!shown(mark) && !mark.matches('path,line')) continue;
            const style = getComputedStyle(mark), ground = behind(mark.closest('svg')?.parentElement || mark.parentElement);
            const found = ratio(over(parse(mark.matches('.key') ? style.backgroundColor : style.stroke), ground), ground);
            if (found < 3) faults.push('contrast ' + found.toFixed(2) + ' of a mark: ' + (mark.getAttribute('class') || ''));
          }
          return [...new Set(faults)];
        })()
        """#

    /// Where the keyboard is: a description of the focused element, and whether one sees that it is.
    static let focused = #"""
        (() => {
          const e = document.activeElement;
          if (!e || e === document.body) return null;
          const seen = [e, e.closest('label')].some(x => x && getComputedStyle(x).outlineStyle !== 'none' && parseFloat(getComputedStyle(x).outlineWidth) >= 1);
          return {index: [...document.querySelectorAll('*')].indexOf(e), tag: e.tagName.toLowerCase(), id: e.id, type: e.type || '', seen};
        })()
        """#

    /// What the keyboard has to reach: places in the document; of radio buttons one, since arrows go through the others.
    static let reachable = #"""
        (() => {
          const all = [...document.querySelectorAll('*')];
          return [...document.querySelectorAll('a[href],button,input,select,textarea,summary,[tabindex="0"]')]
            .filter(e => !e.disabled && !(e.type === 'radio' && !e.checked) && !e.closest('[hidden]') && e.getBoundingClientRect().width > 0
              && (e.matches('summary') || !e.closest('details:not([open])')))
            .map(e => all.indexOf(e));
        })()
        """#
}
