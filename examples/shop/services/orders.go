package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// order is one order of one customer.
type order struct {
	ID       string    `json:"id"`
	Customer string    `json:"customer"`
	Status   string    `json:"status"`
	Placed   time.Time `json:"placed"`
	Lines    []line    `json:"lines"`
	Total    string    `json:"total"`
}

// line is one product of an order.
type line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// orders is the orders service; its orders are gone when it ends.
type orders struct {
	mu   sync.Mutex
	next int
	byID map[string]order
}

func newOrders() *orders {
	o := &orders{next: 1001, byID: map[string]order{}}
	for _, past := range []struct {
		customer, status string
		daysAgo          int
		lines            []line
	}{
		{"alice", "delivered", 21, []line{{"mug-blue", 2}, {"tea-earl-grey", 1}}},
		{"alice", "shipped", 2, []line{{"kettle-steel", 1}}},
		{"bob", "delivered", 9, []line{{"tea-assam", 4}}},
		{"bob", "placed", 0, []line{{"mug-blue", 6}}},
	} {
		o.add(past.customer, past.status, time.Now().AddDate(0, 0, -past.daysAgo), past.lines)
	}
	return o
}

func (o *orders) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /v1/account", forCustomer(o.account))
	mux.HandleFunc("GET /v1/orders", forCustomer(o.list))
	mux.HandleFunc("GET /v1/orders/{id}", forCustomer(o.get))
	mux.HandleFunc("POST /v1/orders", forCustomer(o.place))
	return mux
}

// forCustomer passes on the customer that the gateway names. The service
// trusts that header because nobody but the gateway reaches it.
func forCustomer(next func(w http.ResponseWriter, r *http.Request, customer string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		customer := r.Header.Get("X-Customer")
		if customer == "" {
			problem(w, http.StatusForbidden, "no customer: this service is to be called through the gateway")
			return
		}
		next(w, r, customer)
	}
}

// account is a page for the person that the gateway says has logged in.
func (o *orders) account(w http.ResponseWriter, r *http.Request, customer string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>Your account</title><h1>Your account</h1>
<p>You are logged in as %s (%s).</p><p><a href="/_auth/logout">Log out</a></p></html>
`, html.EscapeString(customer), html.EscapeString(r.Header.Get("X-Email")))
}

func (o *orders) list(w http.ResponseWriter, _ *http.Request, customer string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	mine := []order{}
	for _, order := range o.byID {
		if order.Customer == customer {
			mine = append(mine, order)
		}
	}
	slices.SortFunc(mine, func(a, b order) int { return cmp.Compare(a.ID, b.ID) })
	write(w, http.StatusOK, map[string]any{"orders": mine})
}

func (o *orders) get(w http.ResponseWriter, r *http.Request, customer string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, ok := o.byID[r.PathValue("id")]
	if !ok || found.Customer != customer {
		problem(w, http.StatusNotFound, "no such order")
		return
	}
	write(w, http.StatusOK, found)
}

func (o *orders) place(w http.ResponseWriter, r *http.Request, customer string) {
	var wanted struct {
		Lines []line `json:"lines"`
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wanted); err != nil {
		problem(w, http.StatusBadRequest, "not an order: "+err.Error())
		return
	}
	if reason := refuse(wanted.Lines); reason != "" {
		problem(w, http.StatusUnprocessableEntity, reason)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	placed := o.add(customer, "placed", time.Now(), wanted.Lines)
	w.Header().Set("Location", "/orders/"+placed.ID)
	write(w, http.StatusCreated, placed)
}

// refuse says why lines are no order; empty where they are.
func refuse(lines []line) string {
	if len(lines) == 0 {
		return "an order needs at least one line"
	}
	for _, l := range lines {
		if _, known := product(l.SKU); !known {
			return fmt.Sprintf("there is no product %q", l.SKU)
		}
		if l.Quantity < 1 || l.Quantity > 100 {
			return fmt.Sprintf("%s: the quantity is from 1 to 100", l.SKU)
		}
	}
	return ""
}

// add keeps a new order. The caller holds mu, or nobody else has o yet.
func (o *orders) add(customer, status string, placed time.Time, lines []line) order {
	cents := 0
	for _, l := range lines {
		p, _ := product(l.SKU)
		cents += p.cents * l.Quantity
	}
	added := order{
		ID: strconv.Itoa(o.next), Customer: customer, Status: status,
		Placed: placed.UTC().Truncate(time.Second), Lines: lines, Total: euros(cents),
	}
	o.next++
	o.byID[added.ID] = added
	return added
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, status int, message string) {
	write(w, status, map[string]string{"message": message})
}
