package challenge

import (
	"bytes"
	"net/http"
	"time"

	"gatehouse/exchange"
)

// The paths that the gateway answers by itself, on every host that challenges.
const (
	AnswerPath = "/.gatehouse/challenge"
	ScriptPath = "/.gatehouse/challenge.js"
)

// maxAnswer is how large the answer to a challenge may be: a token, a space and a
// number.
const maxAnswer = 1 << 10

// Handler serves the paths above for the gates of a configuration, by the names of
// their web ACLs. It costs an attacker more than it costs the gateway: whoever wants
// a nonce remembered has done the work first. How often it is asked is for its chain
// to limit.
func (k *Keeper) Handler(gates map[string]*Gate, rule *exchange.Rule) http.Handler {
	return &handler{keeper: k, gates: gates, rule: rule}
}

type handler struct {
	keeper *Keeper
	gates  map[string]*Gate
	rule   *exchange.Rule
}

func (s *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	switch path := x.Path.Canonical(); {
	case path == ScriptPath && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.script(w, r)
	case path == AnswerPath && r.Method == http.MethodPost:
		s.answer(w, r, x)
	case path == ScriptPath:
		s.method(w, r, "GET, HEAD")
	case path == AnswerPath:
		s.method(w, r, "POST")
	default:
		s.refuse(w, r, http.StatusNotFound, "no-route", "")
	}
}

func (s *handler) script(w http.ResponseWriter, r *http.Request) {
	own(w.Header(), "text/javascript; charset=utf-8", len(script))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(script))
	}
}

func (s *handler) method(w http.ResponseWriter, r *http.Request, allow string) {
	exchange.Refuse(w, r, exchange.Refusal{Status: http.StatusMethodNotAllowed, Rule: s.rule, Reason: "method", Header: http.Header{"Allow": {allow}}})
}

func (s *handler) refuse(w http.ResponseWriter, r *http.Request, status int, reason, detail string) {
	exchange.Refuse(w, r, exchange.Refusal{Status: status, Rule: s.rule, Reason: reason, Detail: detail})
}

// answer looks at a solution, and clears its client.
func (s *handler) answer(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		s.refuse(w, r, http.StatusForbidden, "challenge-origin", "it comes from a page of another origin")
		return
	}
	body, err := x.Body.All(maxAnswer)
	if err != nil {
		exchange.Refuse(w, r, exchange.BodyRefusal(s.rule, err))
		return
	}
	g, t, reason := s.judge(x, body)
	if reason != "" {
		s.refuse(w, r, http.StatusForbidden, "challenge-answer", reason)
		return
	}
	switch s.keeper.spent.take(t.nonce, x.Start) {
	case known:
		s.refuse(w, r, http.StatusForbidden, "challenge-answer", "the challenge was solved before")
	case noRoom:
		exchange.Refuse(w, r, exchange.Refusal{
			Status: http.StatusServiceUnavailable, Rule: s.rule, Reason: "challenge-full", Retry: Lifetime,
			Detail: "too many challenges were solved to remember one more", Kind: exchange.Default5XX,
		})
	default:
		x.Trail.Add(s.rule, exchange.Answered, "cleared for "+g.config.Immunity.D().Round(time.Second).String())
		h := w.Header()
		g.clear(h, x)
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	}
}

// judge says why an answer is none; "" for one that solves its challenge.
func (s *handler) judge(x *exchange.Exchange, body []byte) (*Gate, *task, string) {
	token, number, ok := bytes.Cut(body, []byte(" "))
	seals, err := s.keeper.seals()
	if !ok || err != nil {
		return nil, nil, "it is no token and number"
	}
	plain, ok := seals.Open(purpose("challenge", x.Host, x.Client, ""), string(token))
	if !ok {
		return nil, nil, "the challenge is not one of this gateway for this host and network"
	}
	t, ok := decode(plain)
	g := s.gates[t.acl]
	switch {
	case !ok || g == nil:
		return nil, nil, "nobody challenges in the web ACL any more"
	case !t.fresh(x.Start):
		return nil, nil, "the challenge is too old"
	case t.difficulty < g.config.Difficulty:
		return nil, nil, "the challenge was too easy"
	case !t.solved(string(number)):
		return nil, nil, "it is not solved"
	}
	return g, &t, ""
}
