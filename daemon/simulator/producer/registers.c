/* The remote device's register space, as xml/remote.xml describes it: strings, then 8 byte registers. */
#include "producer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STRING_SIZE = 64, REGISTERS = 0x1000 };
enum { /* in the order of their addresses, REGISTERS + 8 * n */
    ACQUISITION_MODE,
    ACQUISITION_START,
    ACQUISITION_STOP,
    FRAME_COUNT,
    FRAME_RATE,
    LOCKED_BY_CONSUMER,
    WIDTH,
    HEIGHT,
    OFFSET_X,
    OFFSET_Y,
    SENSOR_WIDTH,
    SENSOR_HEIGHT,
    ROI_STEP,
    PIXEL_FORMAT,
    PAYLOAD_SIZE,
    TRIGGER_MODE,
    TRIGGER_SOURCE,
    TRIGGER_SOFTWARE,
    EXPOSURE_TIME,
    GAIN,
    TEMPERATURE,
    TIMESTAMP_LATCH,
    TIMESTAMP_LATCH_VALUE,
    TIMESTAMP,
    COUNTER_VALUE,
    TRIGGER_SELECTOR,
    COUNTER_SELECTOR,
    COUNTER_EVENT_SOURCE,
    LINE_SELECTOR,
    LINE_MODE,
    LINE_SOURCE,
    LINE_INVERTER,
    LINE_STATUS,
    USER_OUTPUT_SELECTOR,
    USER_OUTPUT_VALUE,
    ENCODER_SELECTOR,
    ENCODER_VALUE,
    HAS_LATCH,
    REGISTER_COUNT
};

static int64_t roi_step(const struct camera *camera) /* Bayer: a region must not shift the mosaic */
{
    return camera->scene.config.pixel_format == PIXEL_BAYER_RG8 ? 2 : 1;
}

size_t payload_size(const struct camera *camera)
{
    const struct registers *r = &camera->registers;

    return (size_t)(r->width * r->height) * camera->scene.config.bytes_per_pixel;
}

void registers_reset(struct camera *camera)
{
    const struct scene_config *config = &camera->scene.config;

    camera->registers = (struct registers){
        .frame_count = 1,
        .width = config->width,
        .height = config->height,
        .trigger_mode = config->trigger_mode != FREE_RUN,
        .trigger_source = config->trigger_mode == HARDWARE,
        .rate_hz = config->rate_hz,
        .exposure_us = 100,
    };
}

static const char *text(const struct camera *camera, uint64_t index)
{
    switch (index) {
    case 0: return VENDOR;
    case 1: return MODEL;
    case 2: return camera->scene.config.serial;
    case 3: return VERSION;
    default: return NULL;
    }
}

static int32_t read_text(struct camera *camera, uint64_t address, void *data, size_t size)
{
    char padded[STRING_SIZE] = {0};
    const char *value = text(camera, address / STRING_SIZE);

    if (value == NULL || address % STRING_SIZE != 0 || size > STRING_SIZE)
        return fail(GC_ERR_INVALID_ADDRESS, "no register at 0x%llx", (unsigned long long)address);
    snprintf(padded, sizeof padded, "%s", value);
    memcpy(data, padded, size);
    return GC_ERR_SUCCESS;
}

static double temperature(void) /* degrees Celsius: a housing that breathes, 41 to 43 in a minute */
{
    uint64_t second = now_ns() / 1000000000u % 60;

    return 41.0 + (double)(second < 30 ? second : 60 - second) / 15.0;
}

static double read_float(const struct camera *camera, uint64_t index)
{
    switch (index) {
    case FRAME_RATE: return camera->registers.rate_hz;
    case EXPOSURE_TIME: return camera->registers.exposure_us;
    case GAIN: return camera->registers.gain_db;
    case TEMPERATURE: return temperature();
    default: return NAN;
    }
}

static int64_t read_integer(struct camera *camera, uint64_t index)
{
    const struct registers *r = &camera->registers;

    switch (index) {
    case ACQUISITION_MODE: return r->acquisition_mode;
    case FRAME_COUNT: return r->frame_count;
    case LOCKED_BY_CONSUMER: return r->locked;
    case WIDTH: return r->width;
    case HEIGHT: return r->height;
    case OFFSET_X: return r->x;
    case OFFSET_Y: return r->y;
    case SENSOR_WIDTH: return camera->scene.config.width;
    case SENSOR_HEIGHT: return camera->scene.config.height;
    case ROI_STEP: return roi_step(camera);
    case PIXEL_FORMAT: return camera->scene.config.pixel_format;
    case PAYLOAD_SIZE: return (int64_t)payload_size(camera);
    case TRIGGER_MODE: return r->trigger_mode;
    case TRIGGER_SOURCE: return r->trigger_source;
    case TIMESTAMP_LATCH_VALUE: return r->latch_ns;
    case TIMESTAMP: return (int64_t)device_clock(&camera->scene, now_ns());
    case HAS_LATCH: return camera->scene.config.latch;
    case LINE_SELECTOR: return r->line;
    case LINE_MODE: return r->line_mode[r->line];
    case LINE_SOURCE: return r->line_source[r->line];
    case LINE_INVERTER: return r->line_inverter[r->line];
    case LINE_STATUS: return line_level(camera, r->line);
    case USER_OUTPUT_SELECTOR: return r->output;
    case USER_OUTPUT_VALUE: return r->outputs[r->output];
    case ENCODER_VALUE: return encoder_value(&camera->scene);
    case COUNTER_VALUE:
        camera_count_edges(camera);
        return (int64_t)atomic_load(&camera->scene.state->triggers);
    default: return 0; /* commands, and selectors with a single entry */
    }
}

int32_t registers_read(struct camera *camera, uint64_t address, void *data, size_t size)
{
    uint64_t index = (address - REGISTERS) / 8;
    double real;
    int64_t integer;

    if (address < REGISTERS)
        return read_text(camera, address, data, size);
    if (address % 8 != 0 || size != 8 || index >= REGISTER_COUNT)
        return fail(GC_ERR_INVALID_ADDRESS, "no register of %zu bytes at 0x%llx", size,
                    (unsigned long long)address);
    real = read_float(camera, index);
    if (!isnan(real)) {
        memcpy(data, &real, 8);
        return GC_ERR_SUCCESS;
    }
    integer = read_integer(camera, index);
    memcpy(data, &integer, 8);
    return GC_ERR_SUCCESS;
}

static int32_t set(int64_t *to, int64_t value, int64_t least, int64_t most, int64_t step)
{
    if (value < least || value > most || value % step != 0)
        return fail(GC_ERR_INVALID_VALUE, "%lld is not in %lld..%lld, step %lld", (long long)value,
                    (long long)least, (long long)most, (long long)step);
    *to = value;
    return GC_ERR_SUCCESS;
}

static int32_t set_float(double *to, double value, double least, double most)
{
    if (!(value >= least && value <= most))
        return fail(GC_ERR_INVALID_VALUE, "%g is not in %g..%g", value, least, most);
    *to = value;
    return GC_ERR_SUCCESS;
}

/* What must not change while frames are being made. */
static int32_t write_locked(struct camera *camera, uint64_t index, int64_t value)
{
    struct registers *r = &camera->registers;
    const struct scene_config *sensor = &camera->scene.config;
    int64_t step = roi_step(camera);

    if (r->locked || camera->started)
        return fail(GC_ERR_ACCESS_DENIED, "locked while acquisition is active");
    switch (index) {
    case WIDTH: return set(&r->width, value, step, sensor->width - r->x, step);
    case HEIGHT: return set(&r->height, value, step, sensor->height - r->y, step);
    case OFFSET_X: return set(&r->x, value, 0, sensor->width - r->width, step);
    case OFFSET_Y: return set(&r->y, value, 0, sensor->height - r->height, step);
    case ACQUISITION_MODE: return set(&r->acquisition_mode, value, CONTINUOUS, MULTI_FRAME, 1);
    case FRAME_COUNT: return set(&r->frame_count, value, 1, 65535, 1);
    default: /* PIXEL_FORMAT */
        if (value != sensor->pixel_format)
            return fail(GC_ERR_NOT_AVAILABLE, "the scene was made with another pixel format");
        return GC_ERR_SUCCESS;
    }
}

/* What decides the level of the outputs. */
static int32_t write_line(struct camera *camera, uint64_t index, int64_t value)
{
    struct registers *r = &camera->registers;
    int64_t out = r->line != 0; /* Line0 cannot be driven */
    int32_t code;

    switch (index) {
    case LINE_MODE: code = set(&r->line_mode[r->line], value, 0, out, 1); break;
    case LINE_SOURCE: code = set(&r->line_source[r->line], value, 0, out * OUTPUT_COUNT, 1); break;
    case LINE_INVERTER: code = set(&r->line_inverter[r->line], value, 0, out, 1); break;
    default: code = set(&r->outputs[r->output], value, 0, 1, 1); break; /* USER_OUTPUT_VALUE */
    }
    lines_update(camera);
    return code;
}

static int32_t write_integer(struct camera *camera, uint64_t index, int64_t value)
{
    struct registers *r = &camera->registers;

    switch (index) {
    case WIDTH:
    case HEIGHT:
    case OFFSET_X:
    case OFFSET_Y:
    case ACQUISITION_MODE:
    case FRAME_COUNT:
    case PIXEL_FORMAT: return write_locked(camera, index, value);
    case ACQUISITION_START: camera_start(camera); return GC_ERR_SUCCESS;
    case ACQUISITION_STOP: camera_stop(camera); return GC_ERR_SUCCESS;
    case TRIGGER_SOFTWARE: return camera_software_trigger(camera);
    case TIMESTAMP_LATCH:
        r->latch_ns = (int64_t)device_clock(&camera->scene, now_ns());
        return GC_ERR_SUCCESS;
    case LOCKED_BY_CONSUMER: return set(&r->locked, value, 0, 1, 1);
    case TRIGGER_MODE:
    case TRIGGER_SOURCE:
        camera_count_edges(camera); /* those before the change count by the old setting */
        return set(index == TRIGGER_MODE ? &r->trigger_mode : &r->trigger_source, value, 0, 1, 1);
    case LINE_SELECTOR: return set(&r->line, value, 0, LINE_COUNT - 1, 1);
    case USER_OUTPUT_SELECTOR: return set(&r->output, value, 0, OUTPUT_COUNT - 1, 1);
    case LINE_MODE:
    case LINE_SOURCE:
    case LINE_INVERTER:
    case USER_OUTPUT_VALUE: return write_line(camera, index, value);
    case TRIGGER_SELECTOR:
    case COUNTER_SELECTOR:
    case ENCODER_SELECTOR:
    case COUNTER_EVENT_SOURCE: return set(&(int64_t){0}, value, 0, 0, 1);
    default: return fail(GC_ERR_ACCESS_DENIED, "register %llu is read only", (unsigned long long)index);
    }
}

int32_t registers_write(struct camera *camera, uint64_t address, const void *data, size_t size)
{
    uint64_t index = (address - REGISTERS) / 8;
    struct registers *r = &camera->registers;
    double real;
    int64_t integer;

    if (address < REGISTERS || address % 8 != 0 || size != 8 || index >= REGISTER_COUNT)
        return fail(GC_ERR_INVALID_ADDRESS, "nothing to write at 0x%llx", (unsigned long long)address);
    memcpy(&real, data, 8);
    memcpy(&integer, data, 8);
    switch (index) {
    case FRAME_RATE: return set_float(&r->rate_hz, real, 0, 1e6);
    case EXPOSURE_TIME: return set_float(&r->exposure_us, real, 1, 1e7);
    case GAIN: return set_float(&r->gain_db, real, 0, 48);
    default: return write_integer(camera, index, integer);
    }
}
