package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
)

// program starts a program that authorizes as the token of the event says:
//
//	reader    format 1.0: GET below /orders of any stage, but not /orders/13
//	yes, no   format 2.0: isAuthorized, with a context
//	stranger  status 401
//	broken    status 500
//	odd       an answer that is none
//	times     yes, with the number of questions so far as context.n
//	keyed:KEY format 1.0: all of the APIs mail and shop, by the API key KEY
func (s *stage) program() string {
	if s.asked != "" {
		return s.asked
	}
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		var event struct {
			Token    string   `json:"authorizationToken"`
			Identity []string `json:"identitySource"`
		}
		_ = json.NewDecoder(r.Body).Decode(&event)
		token := strings.TrimPrefix(strings.Join(append(event.Identity, event.Token), ""), "Bearer ")
		if key, ok := strings.CutPrefix(token, "keyed:"); ok {
			fmt.Fprintf(w, `{"principalId": "kim", "usageIdentifierKey": %q, "policyDocument": {"Version": "2012-10-17", "Statement": [
				{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": ["arn:aws:execute-api:*:*:mail/*", "arn:aws:execute-api:*:*:shop/*"]}]}}`, key)
			return
		}
		switch token {
		case "reader":
			fmt.Fprint(w, `{"principalId": "rita", "context": {"tier": "gold"}, "policyDocument": {"Version": "2012-10-17", "Statement": [
				{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:shop/*/GET/orders*"},
				{"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:shop/*/*/orders/13"}]}}`)
		case "yes", "times":
			fmt.Fprintf(w, `{"isAuthorized": true, "context": {"sub": "yves", "n": %d}}`, n.Load())
		case "no":
			fmt.Fprint(w, `{"isAuthorized": false}`)
		case "stranger":
			w.WriteHeader(http.StatusUnauthorized)
		case "broken":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			fmt.Fprint(w, `{"message": "what?"}`)
		}
	}))
	s.t.Cleanup(server.Close)
	s.asked = server.URL
	return s.asked
}
