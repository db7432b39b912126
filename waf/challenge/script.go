package challenge

// script is what the page runs. It has a SHA-256 of its own: crypto.subtle is there
// over TLS alone, and slower for one block at a time. It works in slices, so that the
// page stays alive, and gives up where coming again did not help.
const script = `'use strict';
(() => {
	const status = document.getElementById('status');
	const data = status.dataset;
	const tell = text => { status.textContent = text; };

	const primes = [];
	for (let n = 2; primes.length < 64; n++) {
		if (primes.every(p => n % p)) {
			primes.push(n);
		}
	}
	const fraction = (n, root) => { const x = Math.pow(n, 1 / root); return ((x - Math.floor(x)) * 4294967296) | 0; };
	const K = Int32Array.from(primes, n => fraction(n, 3));
	const H = Int32Array.from(primes.slice(0, 8), n => fraction(n, 2));
	const W = new Int32Array(64);
	const block = new Uint8Array(64);

	// first returns the first 32 bits of the SHA-256 of the text in block, which is
	// shorter than 56 bytes.
	const first = length => {
		block.fill(0, length);
		block[length] = 0x80;
		block[62] = length >> 5;
		block[63] = length << 3;
		for (let i = 0; i < 16; i++) {
			const j = 4 * i;
			W[i] = block[j] << 24 | block[j + 1] << 16 | block[j + 2] << 8 | block[j + 3];
		}
		for (let i = 16; i < 64; i++) {
			const x = W[i - 15], y = W[i - 2];
			const s = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
			const t = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
			W[i] = W[i - 16] + s + W[i - 7] + t | 0;
		}
		let [a, b, c, d, e, f, g, h] = H;
		for (let i = 0; i < 64; i++) {
			const s = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
			const t = h + s + (e & f ^ ~e & g) + K[i] + W[i] | 0;
			const u = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
			h = g; g = f; f = e; e = d + t | 0; d = c; c = b; b = a; a = t + u | 0;
		}
		return a + H[0] | 0;
	};

	const write = (text, at) => {
		for (let i = 0; i < text.length; i++) {
			block[at + i] = text.charCodeAt(i);
		}
		return at + text.length;
	};

	const again = () => {
		const key = 'gatehouse-challenge';
		try {
			const now = Date.now();
			const times = JSON.parse(sessionStorage.getItem(key) || '[]').filter(t => now - t < 60000);
			times.push(now);
			sessionStorage.setItem(key, JSON.stringify(times));
			if (times.length > 3) {
				tell('This check needs cookies. Allow them for this site, and load the page again.');
				return;
			}
		} catch (e) {
			// Without storage nobody counts.
		}
		location.reload();
	};

	const answer = async number => {
		try {
			const r = await fetch(data.answer, {method: 'POST', headers: {'Content-Type': 'text/plain'}, body: data.token + ' ' + number, credentials: 'same-origin', cache: 'no-store', redirect: 'error'});
			if (r.status === 204) {
				again();
			} else {
				tell('The check has failed. Load the page again in a minute.');
			}
		} catch (e) {
			tell('The site cannot be reached. Load the page again.');
		}
	};

	const shift = 32 - Number(data.difficulty);
	const start = write(data.nonce, 0);
	let number = 0;
	const slice = () => {
		for (const end = number + 8192; number < end; number++) {
			if (first(write(String(number), start)) >>> shift === 0) {
				answer(number);
				return;
			}
		}
		setTimeout(slice, 0);
	};
	slice();
})();
`
