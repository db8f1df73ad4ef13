//go:build integration

package bench

// What keeps a row from its target: as ADR 10's profiles and the CPU of the parts show it, or, marked so, as it is believed.
const (
	shortThroughput = "two cores: Temporal's dev server and Ray's proxy share them (ADR 10)"
	shortStages     = "seven reads of Temporal's tasks one after the other, where the no-op has five; the dev server allows 20 a second (ADR 10)"
	shortWork       = "processor time of Temporal and the worker: four workflow tasks and five activities, where the no-op has three and four (ADR 10)"
	shortEnd        = "the last answer takes two stages of Temporal: its own activity, and the closing one (ADR 10)"
	shortTurn       = "Ray Serve's proxy and its way to a replica (ADR 10)"
	shortWorker     = "the worker's gRPC calls: one poll and one answer for each task of Temporal (ADR 10)"
	shortRequests   = "one submit, one forget and the waits of a council (ADR 10)"
	shortBeats      = "Temporal writes a heartbeat of each turn every 12 s, 85 a second (ADR 10)"
	shortWaits      = "waits on Ray: the answers that say that a turn still runs (ADR 10)"
	shortStream     = "the councils begin to stream one after the other, within a part of the thirty seconds (ADR 10)"
	shortStop       = "a cancel takes a workflow task and an activity (ADR 10)"
	shortMemory     = "objects of the turns that wait and of gRPC calls under way, stacks of their goroutines, and garbage (ADR 10)"
	shortStart      = "the connections that a worker makes before it polls (believed, not profiled)"
	shortStatistics = "visibility's own time to count (ADR 10)"
)
