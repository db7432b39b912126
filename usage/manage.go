package usage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gatehouse/state"
)

// Wish is an API key to be made.
type Wish struct {
	Name    string            `json:"name"`
	Plan    string            `json:"plan"`
	Expires *time.Time        `json:"expires,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	Value   string            `json:"value,omitempty"` // one that exists elsewhere; "" for a new one
}

// Created is an API key with its value, which is told this once.
type Created struct {
	View
	Value string     `json:"value"`
	Until *time.Time `json:"previousUntil,omitempty"` // how long the value before is taken
}

// View is what may be shown of an API key.
type View struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Plan    string            `json:"plan"`
	Prefix  string            `json:"prefix"`
	Enabled bool              `json:"enabled"`
	Created time.Time         `json:"created"`
	Expires *time.Time        `json:"expires,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
}

func (k *Key) view() View {
	return View{k.ID, k.Name, k.Plan, k.Prefix, k.Enabled, k.Created, k.Expires, k.Tags}
}

// maxKeys is how many API keys there can be.
const maxKeys = 1 << 20

// Create makes an API key. It is durable when Create returns.
func (k *Keeper) Create(ctx context.Context, w Wish) (*Created, error) {
	if err := k.check(&w); err != nil {
		return nil, err
	}
	h, err := k.hashing(ctx)
	if err != nil {
		return nil, err
	}
	value := cmp.Or(w.Value, newValue())
	d := h.digest(value)
	if k.index.find(&d) != nil {
		return nil, errors.New("another API key has this value")
	}
	key := &Key{
		ID: newID(), Name: w.Name, Plan: w.Plan, Prefix: value[:prefixChars], Enabled: true,
		Created: time.Now().UTC().Truncate(time.Second), Expires: w.Expires, Tags: w.Tags, Hash: d[:],
	}
	text, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	if err := k.keys.Create(ctx, key.ID, text); err != nil {
		return nil, err
	}
	return &Created{View: key.view(), Value: value}, nil
}

func (k *Keeper) check(w *Wish) error {
	if w.Name == "" {
		return errors.New("an API key has a name: whose it is")
	}
	plans := *k.plans.Load()
	if plans[w.Plan] == nil {
		return fmt.Errorf("there is no usage plan %q: usage-plans of the configuration has %v", w.Plan, slices.Sorted(maps.Keys(plans)))
	}
	if len(w.Tags) > maxTags {
		return fmt.Errorf("an API key has at most %d tags", maxTags)
	}
	if k.index.count() >= maxKeys {
		return fmt.Errorf("there are %d API keys already", maxKeys)
	}
	if w.Expires != nil && !w.Expires.After(time.Now()) {
		return errors.New("the API key would have expired already")
	}
	errs := []error{checkText("a name", w.Name)}
	for name, text := range w.Tags {
		errs = append(errs, checkText("a tag", name), checkText("a tag", text))
	}
	if w.Value != "" {
		errs = append(errs, checkImported(w.Value))
	}
	return errors.Join(errs...)
}

// List returns the API keys by name.
func (k *Keeper) List() []View {
	out := []View{}
	k.keys.Each(func(_ string, r state.Row) {
		var key Key
		if json.Unmarshal(r.Value, &key) == nil {
			out = append(out, key.view())
		}
	})
	slices.SortFunc(out, func(a, b View) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out
}

// get returns a key and its revision.
func (k *Keeper) get(id string) (*Key, uint64, error) {
	r, ok := k.keys.Get(id)
	if !ok {
		return nil, 0, fmt.Errorf("there is no API key with the id %q (`gatehouse keys list` shows them)", id)
	}
	var key Key
	return &key, r.Revision, json.Unmarshal(r.Value, &key)
}

// update changes a key. It is durable, and holds on this gateway, when update
// returns; others hear of it at once.
func (k *Keeper) update(ctx context.Context, id string, change func(*Key)) (*Key, error) {
	for {
		key, revision, err := k.get(id)
		if err != nil {
			return nil, err
		}
		change(key)
		text, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		err = k.keys.Update(ctx, id, text, revision)
		if !errors.Is(err, state.ErrChanged) || ctx.Err() != nil {
			return key, err
		}
		time.Sleep(time.Millisecond) // the news is on its way
	}
}

// Enable has a key taken again, or no more.
func (k *Keeper) Enable(ctx context.Context, id string, enabled bool) (*View, error) {
	key, err := k.update(ctx, id, func(key *Key) { key.Enabled = enabled })
	if err != nil {
		return nil, err
	}
	v := key.view()
	return &v, nil
}

// Rotate gives a key a new value. The one before is taken for grace longer.
func (k *Keeper) Rotate(ctx context.Context, id string, grace time.Duration) (*Created, error) {
	h, err := k.hashing(ctx)
	if err != nil {
		return nil, err
	}
	value := newValue()
	d := h.digest(value)
	var until *time.Time
	if grace > 0 {
		end := time.Now().Add(grace).UTC().Truncate(time.Second)
		until = &end
	}
	key, err := k.update(ctx, id, func(key *Key) {
		key.Previous, key.Until = nil, nil
		if until != nil {
			key.Previous, key.Until = key.Hash, until
		}
		key.Hash, key.Prefix = d[:], value[:prefixChars]
	})
	if err != nil {
		return nil, err
	}
	return &Created{View: key.view(), Value: value, Until: until}, nil
}

// Delete forgets a key.
func (k *Keeper) Delete(ctx context.Context, id string) (*View, error) {
	key, revision, err := k.get(id)
	if err != nil {
		return nil, err
	}
	v := key.view()
	return &v, k.keys.Delete(ctx, id, revision)
}

// Use is what a key has used of its quota.
type Use struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Plan      string     `json:"plan"`
	Per       Period     `json:"per,omitempty"`
	Limit     int64      `json:"limit,omitempty"`
	Used      int64      `json:"used"`
	Remaining int64      `json:"remaining"`
	Begins    *time.Time `json:"begins,omitempty"`
	Ends      *time.Time `json:"ends,omitempty"`
}

// Usage returns what a key has used of its plan's quota in the period of now;
// nothing but its plan where that has none.
func (k *Keeper) Usage(id string) (*Use, error) {
	key, _, err := k.get(id)
	if err != nil {
		return nil, err
	}
	use := &Use{ID: id, Name: key.Name, Plan: key.Plan}
	plan := (*k.plans.Load())[key.Plan]
	if plan == nil || plan.Quota == nil {
		return use, nil
	}
	n, begins, ends := k.meters.of(id).used(plan.Quota.Per, time.Now())
	use.Per, use.Limit, use.Used, use.Begins, use.Ends = plan.Quota.Per, plan.Quota.Limit, n, &begins, &ends
	use.Remaining = max(0, use.Limit-n)
	return use, nil
}
