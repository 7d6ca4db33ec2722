/* Maps and checks the scene file, and writes the trigger log. */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Open file description locks (Linux 3.15): held by the descriptor, unlike POSIX locks, which a
 * process loses with any close() of the file. glibc 2.17's headers do not have them yet. */
#define OFD_GETLK 36
#define OFD_SETLK 37

static struct {
    char path[PATH_MAX];
    uint8_t *base;
    size_t size;
} mapping;

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool inside(uint64_t offset, uint64_t count, uint64_t each)
{
    if (offset > mapping.size || offset % 8 != 0 || each == 0)
        return false;
    return count <= (mapping.size - offset) / each;
}

static bool serial_usable(const char serial[64])
{
    size_t length = strnlen(serial, 64);

    for (size_t i = 0; i < length; i++)
        if (serial[i] < ' ' || serial[i] > '~')
            return false;
    return length > 0 && length < 64;
}

static uint32_t bytes_per_pixel(uint32_t pixel_format)
{
    switch (pixel_format) {
    case PIXEL_MONO8:
    case PIXEL_BAYER_RG8: return 1;
    case PIXEL_MONO12: return 2;
    case PIXEL_RGB8: return 3;
    default: return 0;
    }
}

static bool camera_open(int index, struct camera_scene *camera)
{
    struct scene_camera *page =
        (struct scene_camera *)(mapping.base + SCENE_PAGE * (size_t)(index + 1));
    struct scene_config c = page->config; /* checked and used from here on: the copy, not the file */

    if (!serial_usable(c.serial) || c.bytes_per_pixel == 0 ||
        c.bytes_per_pixel != bytes_per_pixel(c.pixel_format))
        return false;
    if (c.width - 1 > 65535 || c.height - 1 > 65535 || c.images - 1 > INT32_MAX - 1)
        return false;
    if (c.trigger_mode > HARDWARE || !(c.rate_hz >= 0 && c.rate_hz <= 1e6))
        return false;
    camera->image_bytes = (size_t)c.width * c.height * c.bytes_per_pixel;
    if (!inside(c.images_offset, c.images, camera->image_bytes) || c.log_capacity == 0 ||
        !inside(c.log_offset, c.log_capacity, sizeof(struct trigger_record)))
        return false;
    if (c.edges_capacity == 0 ||
        !inside(c.edges_offset, c.edges_capacity, sizeof(struct edge_record)))
        return false;
    if (!(fabs(c.clock_ppm) <= 1e4) || c.clock_offset_ns < 0 || c.clock_offset_ns > INT64_MAX / 2)
        return false;
    camera->config = c;
    if (atomic_load(&page->state.triggers) > UINT64_MAX / 2)
        return false;
    camera->control = &page->control;
    camera->state = &page->state;
    camera->images = mapping.base + c.images_offset;
    camera->log = (struct trigger_record *)(mapping.base + c.log_offset);
    camera->edges = (struct edge_record *)(mapping.base + c.edges_offset);
    return true;
}

static int cameras_open(struct camera_scene *cameras, char *why, size_t why_size)
{
    struct scene_header header;

    memcpy(&header, mapping.base, sizeof header);
    if (memcmp(header.magic, "EFFADSCN", 8) != 0) {
        snprintf(why, why_size, "EFFAD_SCENE: %s is not a scene file", mapping.path);
        return -1;
    }
    if (header.version != SCENE_VERSION) {
        snprintf(why, why_size, "EFFAD_SCENE: %s has version %u, this producer reads %d", mapping.path,
                 header.version, SCENE_VERSION);
        return -1;
    }
    if (header.cameras > SCENE_MAX_CAMERAS || header.file_size != mapping.size ||
        !inside(0, header.cameras + 1u, SCENE_PAGE)) {
        snprintf(why, why_size, "EFFAD_SCENE: %s is truncated", mapping.path);
        return -1;
    }
    for (int i = 0; i < (int)header.cameras; i++)
        if (!camera_open(i, &cameras[i])) {
            snprintf(why, why_size, "EFFAD_SCENE: camera %d in %s is damaged", i, mapping.path);
            return -1;
        }
    return (int)header.cameras;
}

int scene_open(struct camera_scene cameras[SCENE_MAX_CAMERAS], char *why, size_t why_size)
{
    const char *path = getenv("EFFAD_SCENE");
    struct stat status;
    int fd, count;

    scene_close();
    if (path == NULL || path[0] == 0) {
        snprintf(why, why_size, "EFFAD_SCENE is not set: no cameras");
        return 0;
    }
    snprintf(mapping.path, sizeof mapping.path, "%s", path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        snprintf(why, why_size, "EFFAD_SCENE: %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (!S_ISREG(status.st_mode) || status.st_size < SCENE_PAGE) {
        snprintf(why, why_size, "EFFAD_SCENE: %s is not a scene file", path);
        close(fd);
        return -1;
    }
    mapping.size = (size_t)status.st_size;
    mapping.base = mmap(NULL, mapping.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapping.base == MAP_FAILED) {
        mapping.base = NULL;
        snprintf(why, why_size, "EFFAD_SCENE: %s cannot be mapped: %s", path, strerror(errno));
        return -1;
    }
    count = cameras_open(cameras, why, why_size);
    if (count < 0)
        scene_close();
    return count;
}

void scene_close(void)
{
    if (mapping.base != NULL)
        munmap(mapping.base, mapping.size);
    mapping.base = NULL;
}

static struct flock camera_byte(int camera)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

    lock.l_start = (off_t)SCENE_PAGE * (camera + 1);
    return lock;
}

int scene_lock(int camera)
{
    struct flock lock = camera_byte(camera);
    int fd = open(mapping.path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -2;
    if (fcntl(fd, OFD_SETLK, &lock) != 0 && errno != EINVAL) { /* EINVAL: a kernel without them */
        close(fd);
        return -1;
    }
    return fd;
}

bool scene_locked_elsewhere(int camera)
{
    struct flock lock = camera_byte(camera);
    int fd = open(mapping.path, O_RDWR | O_CLOEXEC);
    bool locked;

    if (fd < 0)
        return false;
    locked = fcntl(fd, OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return locked;
}

struct trigger_record *log_at(struct camera_scene *camera, uint64_t trigger)
{
    return &camera->log[(trigger - 1) % camera->config.log_capacity];
}

uint64_t log_trigger(struct camera_scene *camera, uint64_t acquisition, uint64_t frame_id,
                     uint64_t timestamp_ns, uint64_t due_ns)
{
    uint64_t trigger = atomic_load(&camera->state->triggers) + 1;
    struct trigger_record *record = log_at(camera, trigger);

    atomic_store_explicit(&record->fate, PENDING, memory_order_relaxed);
    record->trigger = trigger;
    record->acquisition = acquisition;
    record->frame_id = frame_id;
    record->timestamp_ns = timestamp_ns;
    record->due_ns = due_ns;
    record->image = frame_id ? (int32_t)((trigger - 1) % camera->config.images) : -1;
    atomic_store_explicit(&camera->state->triggers, trigger, memory_order_release);
    return trigger;
}

void log_fate(struct camera_scene *camera, uint64_t trigger, enum fate fate)
{
    struct trigger_record *record = log_at(camera, trigger);
    uint32_t pending = PENDING;

    if (record->trigger == trigger) /* else the ring has lapped a frame that nobody fetched */
        atomic_compare_exchange_strong(&record->fate, &pending, fate);
}

void log_settle(struct camera_scene *camera)
{
    uint64_t triggers = atomic_load(&camera->state->triggers);
    uint64_t capacity = camera->config.log_capacity;

    for (uint64_t n = triggers > capacity ? triggers - capacity + 1 : 1; n <= triggers; n++)
        log_fate(camera, n, DISCARDED);
}

void log_edge(struct camera_scene *camera, uint32_t line, bool level)
{
    uint64_t n = atomic_load(&camera->state->edges);

    camera->edges[n % camera->config.edges_capacity] =
        (struct edge_record){.timestamp_ns = now_ns(), .line = line, .level = level};
    atomic_store_explicit(&camera->state->edges, n + 1, memory_order_release);
}

uint64_t device_clock(const struct camera_scene *camera, uint64_t host_ns)
{
    const struct scene_config *config = &camera->config;

    return host_ns + (uint64_t)config->clock_offset_ns +
           (uint64_t)(int64_t)((double)host_ns * config->clock_ppm * 1e-6);
}

uint32_t encoder_value(const struct camera_scene *camera)
{
    const struct scene_control *control = camera->control;
    struct scene_encoder now = control->encoder[atomic_load(&control->encoder_now) % 2];
    double seconds = (double)(int64_t)(now_ns() - now.since_ns) * 1e-9;
    double counts = now.base + now.hz * seconds;
    int64_t whole;

    if (!(fabs(counts) < 9e18)) /* the file is shared: it may be a NaN */
        return 0;
    whole = (int64_t)counts;
    return (uint32_t)(whole - (counts < (double)whole));
}

bool fault_taken(struct camera_scene *camera, enum fault fault)
{
    uint64_t taken = atomic_load(&camera->state->faults[fault]);

    if (taken == atomic_load(&camera->control->faults[fault]))
        return false;
    atomic_store(&camera->state->faults[fault], taken + 1);
    return true;
}
