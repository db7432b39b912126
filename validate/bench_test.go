package validate

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gatehouse/exchange"
)

const orderSchema = `{
	"type": "object", "required": ["customer", "items"], "additionalProperties": false,
	"properties": {
		"customer": {"type": "string", "minLength": 1, "maxLength": 40},
		"items": {"type": "array", "minItems": 1, "maxItems": 100, "items": {
			"type": "object", "required": ["sku", "price", "count"],
			"properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"}, "price": {"type": "number", "minimum": 0}, "count": {"type": "integer", "maximum": 999}, "tags": {"type": "array", "items": {"enum": ["new", "sale"]}}}
		}}
	}
}`

func orderBody() string {
	return `{"customer": "ann", "items": [` + strings.TrimSuffix(strings.Repeat(`{"sku": "ABC-123", "price": 19.99, "count": 3, "tags": ["new", "sale"]},`, 10), ",") + `]}`
}

// BenchmarkBody is what a body of 0.7 KB with ten items costs, read and checked.
func BenchmarkBody(b *testing.B) {
	f := New(all(), operation(b, &Spec{Body: &Body{Required: true, Types: []Content{{Type: "application/json", Schema: value(b, orderSchema)}}}}))(http.HandlerFunc(served))
	body := orderBody()
	b.SetBytes(int64(len(body)))
	b.Run("ours", func(b *testing.B) {
		visit := (&bench{filter: f}).begin(body)
		b.ReportAllocs()
		for b.Loop() {
			visit()
		}
	})
	b.Run("jsonschema", func(b *testing.B) {
		s := oracleSchema(b)
		b.ReportAllocs()
		for b.Loop() {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
			if err == nil {
				err = s.Validate(v)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("kin-openapi", func(b *testing.B) {
		input := kinInput(b)
		b.ReportAllocs()
		for b.Loop() {
			input.Request.Body = io.NopCloser(strings.NewReader(body))
			if err := openapi3filter.ValidateRequestBody(context.Background(), input, input.Route.Operation.RequestBody.Value); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// bench runs one request through a filter, again and again, without what a test
// would make anew for each.
type bench struct{ filter http.Handler }

func (h *bench) begin(body string) func() {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	reader := bytes.NewReader(nil)
	r.ContentLength = int64(len(body))
	text := []byte(body)
	return func() {
		reader.Reset(text)
		r.Body = io.NopCloser(reader)
		x, req := exchange.Begin(rec, r, &exchange.Conn{}, nil)
		h.filter.ServeHTTP(&x.Writer, req)
		x.Finish()
		x.Release()
	}
}

func oracleSchema(b *testing.B) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(orderSchema))
	if err != nil {
		b.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", doc); err != nil {
		b.Fatal(err)
	}
	return c.MustCompile("s.json")
}

func kinInput(b *testing.B) *openapi3filter.RequestValidationInput {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(`{"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {"/": {"post": {"requestBody": {"required": true, "content": {"application/json": {"schema": ` + orderSchema + `}}}, "responses": {"200": {"description": ""}}}}}}`))
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Content-Type", "application/json")
	item := doc.Paths.Value("/")
	return &openapi3filter.RequestValidationInput{Request: r, Route: &routers.Route{Spec: doc, PathItem: item, Operation: item.Post, Method: "POST"}}
}

// TestAllocations: what is checked costs no more of them than what passes
// unchecked.
func TestAllocations(t *testing.T) {
	o := operation(t, &Spec{
		Parameters: []Parameter{{Name: "page", In: "query", Style: "form", Schema: value(t, `{"type": "integer"}`)}},
		Body:       &Body{Required: true, Types: []Content{{Type: "application/json", Schema: value(t, orderSchema)}}},
	})
	count := func(h http.Handler) float64 {
		visit := (&bench{h}).begin(orderBody())
		visit()
		return testing.AllocsPerRun(200, visit)
	}
	read := func(w http.ResponseWriter, r *http.Request) {
		_, _ = exchange.From(r).Body.All(1 << 20)
		served(w, r)
	}
	plain, checked := count(http.HandlerFunc(read)), count(New(all(), o)(http.HandlerFunc(served)))
	if checked > plain && !raceEnabled {
		t.Errorf("%v allocations, %v where the body is read alone", checked, plain)
	}
}

// FuzzRequest: whatever a request holds, it is passed on or refused, and no
// answer repeats what was sent.
func FuzzRequest(f *testing.F) {
	f.Add("page=1&l=1,2&p[x]=1", "a=b; c=5", "1,2", `{"customer": "ann", "items": []}`, "application/json")
	f.Add("x=1&y=2&page=%zz", "c=\"x\"", "x=1", "a=1&b=%20", "application/x-www-form-urlencoded")
	f.Add("p[x][y]=1&p[", ";;=;", "", "--x", "multipart/form-data; boundary=x")
	spec := &Spec{Body: &Body{Required: true}}
	for _, text := range []string{"query page", "query l form", "query m form*", "query p deepObject*", "query q form*", "cookie c", "header X-L simple", "path id label*"} {
		schema := `{"type": "array", "items": {"type": "integer"}}`
		if strings.ContainsAny(text, "pq") && !strings.Contains(text, "page") && !strings.Contains(text, "path") {
			schema = `{"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "array"}}}`
		}
		spec.Parameters = append(spec.Parameters, parameterOf(f, text, schema))
	}
	for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data"} {
		spec.Body.Types = append(spec.Body.Types, Content{Type: kind, Schema: value(f, orderSchema), Form: kind != "application/json"})
	}
	h := New(all(), operation(f, spec))(http.HandlerFunc(served))
	f.Fuzz(func(t *testing.T, query, cookie, list, body, kind string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL.RawQuery = strings.Map(func(c rune) rune {
			if c <= ' ' || c == '#' || c >= 0x7f {
				return -1
			}
			return c
		}, query)
		r.Header["Cookie"], r.Header["X-L"], r.Header["Content-Type"] = []string{cookie}, []string{list}, []string{kind}
		status, detail, answer := serve(h, r, exchange.Param{Name: "id", Value: list})
		if status != 200 && status != 400 && status != 415 {
			t.Errorf("%d %s", status, detail)
		}
		if status != 200 && (detail == "" || len(detail) > 1000 || len(answer) > 200) {
			t.Errorf("%q %q", detail, answer)
		}
	})
}
