package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOrdersBelongToTheirCustomer(t *testing.T) {
	const mug = `{"lines":[{"sku":"mug-blue","quantity":2}]}`
	handler := newOrders().handler()
	for _, test := range []struct {
		customer, method, path, body string
		status                       int
		want                         string
	}{
		{"alice", "GET", "/v1/orders", "", 200, `"id":"1001"`},
		{"alice", "GET", "/v1/orders/1002", "", 200, "kettle-steel"},
		{"alice", "GET", "/v1/orders/1003", "", 404, "no such order"},
		{"carol", "GET", "/v1/orders", "", 200, `{"orders":[]}`},
		{"", "GET", "/v1/orders", "", 403, "through the gateway"},
		{"carol", "POST", "/v1/orders", mug, 201, `"total":"25.00 EUR"`},
		{"carol", "POST", "/v1/orders", `{}`, 422, "at least one line"},
		{"carol", "POST", "/v1/orders", `{"lines":[{"sku":"yacht","quantity":1}]}`, 422, "no product"},
		{"carol", "POST", "/v1/orders", `{"lines":[{"sku":"mug-blue","quantity":0}]}`, 422, "from 1 to 100"},
		{"carol", "POST", "/v1/orders", `no`, 400, "not an order"},
		{"carol", "GET", "/v1/orders/1005", "", 200, "mug-blue"},
	} {
		w := serveOne(handler, test.method, test.path, test.body, test.customer)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%s as %q %s %s: %d %s", test.method, test.customer, test.path, test.body, w.Code, w.Body)
		}
	}
}

func TestWeb(t *testing.T) {
	for path, want := range map[string]string{"/": "<h1>The shop</h1>", "/products": `"price":"12.50 EUR"`, "/healthz": "ok"} {
		if w := serveOne(webHandler(), "GET", path, "", ""); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func serveOne(h http.Handler, method, path, body, customer string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if customer != "" {
		r.Header.Set("X-Customer", customer)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
