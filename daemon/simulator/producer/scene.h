/* The scene file: one mapping shared by Python (daemon/simulator/layout.py mirrors these structures)
 * and the producers of any number of processes. Little endian, offsets from the file's start. */
#ifndef EFFAD_SCENE_H
#define EFFAD_SCENE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCENE_VERSION = 2, SCENE_MAX_CAMERAS = 64, SCENE_PAGE = 4096 };
enum pixel_format { /* GenICam's PFNC codes */
    PIXEL_MONO8 = 0x01080001,
    PIXEL_MONO12 = 0x01100005,
    PIXEL_BAYER_RG8 = 0x01080009,
    PIXEL_RGB8 = 0x02180014
};
enum trigger_mode { FREE_RUN, SOFTWARE, HARDWARE };
enum fault { FAULT_DROP, FAULT_INCOMPLETE, FAULT_SHORT, FAULT_RESIZE, FAULT_COUNT };
enum fate { PENDING, DELIVERED, DROPPED, INCOMPLETE, SHORT, RESIZED, UNDERRUN, LOST, DISCARDED };

struct scene_header { /* page 0 */
    char magic[8];    /* "EFFADSCN" */
    uint32_t version, cameras;
    uint64_t file_size;
};

struct scene_config { /* written once, when the scene is created */
    char serial[64];  /* printable ASCII, NUL terminated */
    uint32_t pixel_format, bytes_per_pixel, width, height, images, trigger_mode, loop, latch;
    double rate_hz;   /* 0: as fast as buffers are queued */
    uint64_t images_offset, log_offset, log_capacity, edges_offset, edges_capacity;
    int64_t clock_offset_ns; /* of the device's clock from CLOCK_MONOTONIC, at its 0 */
    double clock_ppm;        /* how much faster it runs */
};

struct scene_encoder { /* counts = base + hz * seconds since then */
    uint64_t since_ns;
    double base, hz;
};

struct scene_control { /* written by Python; the device answers in scene_state */
    _Atomic uint64_t pulses;           /* edges on Line0, ever */
    _Atomic uint64_t faults[FAULT_COUNT]; /* asked for, ever */
    _Atomic uint64_t stalled_until_ns, lost_until_ns, losses; /* CLOCK_MONOTONIC; losses ever */
    _Atomic uint64_t encoder_now; /* which of the two is valid, modulo 2 */
    struct scene_encoder encoder[2];
};

struct scene_state { /* written by the one producer that has the camera open */
    _Atomic uint64_t triggers; /* the device's counter, and the number of the newest log record */
    _Atomic uint64_t pulses, faults[FAULT_COUNT], acquisitions;
    _Atomic uint64_t lines; /* bit n: Line n is an output and high; outlives who opened the camera */
    _Atomic uint64_t edges; /* of all outputs, ever */
};

struct trigger_record { /* trigger n stands at (n - 1) % log_capacity; fate is stored last */
    uint64_t trigger, frame_id, acquisition, timestamp_ns, due_ns;
    int32_t image;
    _Atomic uint32_t fate;
};

struct edge_record { /* edge n stands at (n - 1) % edges_capacity */
    uint64_t timestamp_ns; /* CLOCK_MONOTONIC */
    uint32_t line, level;
};

struct scene_camera { /* page 1 + i */
    union { struct scene_config config; char config_space[512]; };
    union { struct scene_control control; char control_space[512]; };
    union { struct scene_state state; char state_space[SCENE_PAGE - 1024]; };
};

_Static_assert(sizeof(struct scene_config) == 160, "mirrored in layout.py");
_Static_assert(sizeof(struct scene_control) == 120, "mirrored in layout.py");
_Static_assert(sizeof(struct scene_state) == 72, "mirrored in layout.py");
_Static_assert(sizeof(struct scene_camera) == SCENE_PAGE, "mirrored in layout.py");
_Static_assert(sizeof(struct trigger_record) == 48, "mirrored in layout.py");
_Static_assert(sizeof(struct edge_record) == 16, "mirrored in layout.py");

struct camera_scene { /* a camera's part of the mapping; config is a checked copy, the file may change */
    struct scene_config config;
    struct scene_control *control;
    struct scene_state *state;
    const uint8_t *images;
    struct trigger_record *log;
    struct edge_record *edges;
    size_t image_bytes;
};

/* Maps the file that EFFAD_SCENE names and checks that every camera's parts lie inside it. Returns the
 * number of cameras, 0 where EFFAD_SCENE is not set, or -1 with a text for the last error in `why`. */
int scene_open(struct camera_scene cameras[SCENE_MAX_CAMERAS], char *why, size_t why_size);
void scene_close(void);

/* One process at a time owns a camera. The lock is the kernel's and dies with the process, however it
 * dies. Returns a descriptor that holds it, -1 if another has it, -2 if the file is gone. */
int scene_lock(int camera);
bool scene_locked_elsewhere(int camera);

uint64_t now_ns(void); /* CLOCK_MONOTONIC */

/* Counts a trigger, logs it as PENDING and returns its number. Its record stays until log_capacity
 * further triggers; frame_id 0: no frame was taken. */
uint64_t log_trigger(struct camera_scene *camera, uint64_t acquisition, uint64_t frame_id,
                     uint64_t timestamp_ns, uint64_t due_ns);
struct trigger_record *log_at(struct camera_scene *camera, uint64_t trigger);
void log_fate(struct camera_scene *camera, uint64_t trigger, enum fate fate); /* the first stays */
/* A producer that was killed leaves records PENDING; the next owner calls this. */
void log_settle(struct camera_scene *camera);
/* Logs that an output has changed. */
void log_edge(struct camera_scene *camera, uint32_t line, bool level);
uint64_t device_clock(const struct camera_scene *camera, uint64_t host_ns); /* what it says then */
uint32_t encoder_value(const struct camera_scene *camera);                  /* wraps at 32 bits */
/* Takes one of the faults asked for, if any is left. */
bool fault_taken(struct camera_scene *camera, enum fault fault);

#endif
