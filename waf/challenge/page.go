package challenge

import (
	"html"
	"net/http"
	"strconv"
	"strings"

	"gatehouse/exchange"
)

// policy is the page's Content-Security-Policy: its own script, which asks its own
// host, and nothing else.
const policy = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// writePage answers with the page that solves a challenge. Its status is that of AWS
// WAF's challenges.
func writePage(w http.ResponseWriter, x *exchange.Exchange, t *task, token string) {
	text := strings.NewReplacer(
		"{token}", html.EscapeString(token), "{nonce}", t.nonce.text(), "{difficulty}", strconv.Itoa(t.difficulty),
		"{answer}", AnswerPath, "{script}", ScriptPath, "{request}", html.EscapeString(x.ID),
	).Replace(page)
	h := w.Header()
	own(h, "text/html; charset=utf-8", len(text))
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Robots-Tag", "noindex")
	h.Set(action, "challenge")
	h.Set("X-Amzn-Requestid", x.ID)
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte(text))
}

// own sets the fields that all answers of the gateway's own pages have.
func own(h http.Header, kind string, size int) {
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(size))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// page looks like what the reader's browser and system look like.
const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>One moment</title>
</head>
<body>
<main>
<h1>One moment</h1>
<p id="status" role="status" data-token="{token}" data-nonce="{nonce}" data-difficulty="{difficulty}" data-answer="{answer}">Your browser is being checked. This page goes on by itself.</p>
<noscript><p>This check needs JavaScript. Allow it for this site, and load the page again.</p></noscript>
<p><small>Request {request}</small></p>
</main>
<script src="{script}"></script>
</body>
</html>
`
