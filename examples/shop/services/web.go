package main

import (
	_ "embed"
	"fmt"
	"net/http"
)

//go:embed storefront.html
var storefront []byte

// item is one product of the shop.
type item struct {
	SKU   string `json:"sku"`
	Name  string `json:"name"`
	Price string `json:"price"`
	cents int
}

// catalogue lists what the shop sells.
func catalogue() []item {
	items := []item{
		{SKU: "mug-blue", Name: "Mug, blue", cents: 1250},
		{SKU: "kettle-steel", Name: "Kettle, stainless steel", cents: 5900},
		{SKU: "tea-assam", Name: "Assam, 100 g", cents: 690},
		{SKU: "tea-earl-grey", Name: "Earl Grey, 100 g", cents: 790},
	}
	for i := range items {
		items[i].Price = euros(items[i].cents)
	}
	return items
}

func product(sku string) (item, bool) {
	for _, p := range catalogue() {
		if p.SKU == sku {
			return p, true
		}
	}
	return item{}, false
}

func euros(cents int) string { return fmt.Sprintf("%d.%02d EUR", cents/100, cents%100) }

// webHandler is the web service: what anybody may see.
func webHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(storefront)
	})
	mux.HandleFunc("GET /products", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]any{"products": catalogue()})
	})
	return mux
}
