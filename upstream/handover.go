package upstream

import "gatehouse/upstream/target"

// Known is what a Keeper tells the process that takes over, and what that would
// have to find out again: where names lead, and which targets fail their probes.
type Known struct {
	Names []target.Name `json:"names,omitempty"`
	Sick  []target.Sick `json:"sick,omitempty"`
}

// Known returns what is known now.
func (k *Keeper) Known() (known Known) {
	k.groups.Each(func(_ target.GroupKey, g *target.Group) {
		if name, ok := g.Name(); ok {
			known.Names = append(known.Names, name)
		}
	})
	k.watches.Each(func(_ target.WatchKey, w *target.Watch) { known.Sick = append(known.Sick, w.Sick()...) })
	return known
}
