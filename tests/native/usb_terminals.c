/* A stand-in for libusb-1.0 whose devices are terminals: a program that reaches its miners through libusb alone, such
 * as cgminer, then speaks to `stratum-miner emulate`. It is loaded in place of the library (LD_LIBRARY_PATH).
 *
 * USB_TERMINALS=erupter=/tmp/a,compac=/tmp/b names the sticks and their terminals. A stick is there while its terminal
 * is, so that unplugging works. Only what a serial bridge needs is here: two bulk endpoints, and the control transfers
 * that set its baud rate. Transfers are completed in libusb_handle_events_timeout_completed(), as in libusb itself.
 */
#define _GNU_SOURCE
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <libusb.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CP2102, PL2303, MAX_STICKS = 16, WRITE_MS = 1000 };
enum { CP210X_SET_BAUD_RATE = 0x1e, PL2303_SET_LINE_CODING = 0x20 };

static const struct bridge { uint16_t vendor, product; uint8_t in, out, set_baud_rate; } BRIDGES[] = {
    [CP2102] = {0x10c4, 0xea60, 0x81, 0x01, CP210X_SET_BAUD_RATE},
    [PL2303] = {0x067b, 0x2303, 0x83, 0x02, PL2303_SET_LINE_CODING},
};
static const struct kind { const char *name; int bridge; const char *manufacturer, *product; } KINDS[] = {
    {"icarus", PL2303, "Prolific Technology Inc.", "USB-Serial Controller"},
    {"erupter", CP2102, "Silicon Labs", "CP2102 USB to UART Bridge Controller"},
    {"compac", CP2102, "GekkoScience", "Compac BM1384 Bitcoin Miner"},
    {"2pac", CP2102, "GekkoScience", "2Pac BM1384 Bitcoin Miner"},
};
struct libusb_device { const struct kind *kind; const struct bridge *bridge; const char *path; uint8_t address; };
struct libusb_device_handle { libusb_device *device; int terminal; };
struct pending { struct pending *next; int is_cancelled; struct libusb_transfer transfer; };

static libusb_device sticks[MAX_STICKS];
static int stick_count, wake[2] = {-1, -1};
static struct pending *first_pending;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct pending *owner(struct libusb_transfer *transfer)
{
    return (struct pending *)((char *)transfer - offsetof(struct pending, transfer));
}

static void set_baud_rate(int terminal, unsigned int rate)
{
    struct termios2 line;
    if (ioctl(terminal, TCGETS2, &line))
        return;
    line.c_iflag = line.c_oflag = line.c_lflag = 0;
    line.c_cflag = CS8 | CREAD | CLOCAL | BOTHER | BOTHER << IBSHIFT;
    line.c_ispeed = line.c_ospeed = rate;
    ioctl(terminal, TCSETS2, &line);
}

static int control(libusb_device_handle *handle, uint8_t request, const uint8_t *data, int length)
{
    if (request == handle->device->bridge->set_baud_rate && length >= 4)
        set_baud_rate(handle->terminal, data[0] | data[1] << 8 | data[2] << 16 | (unsigned int)data[3] << 24);
    return length;
}

/* Bytes moved; 0 where there are none yet; a libusb error. */
static int move(libusb_device_handle *handle, uint8_t endpoint, uint8_t *data, int length)
{
    ssize_t moved = endpoint & LIBUSB_ENDPOINT_IN ? read(handle->terminal, data, length)
                                                  : write(handle->terminal, data, length);
    return moved > 0 ? (int)moved : moved < 0 && errno == EAGAIN ? 0 : LIBUSB_ERROR_NO_DEVICE;
}

static int write_all(libusb_device_handle *handle, uint8_t endpoint, uint8_t *data, int length)
{
    for (int done = 0; done < length;) {
        struct pollfd writable = {handle->terminal, POLLOUT, 0};
        if (poll(&writable, 1, WRITE_MS) < 1)
            return LIBUSB_ERROR_TIMEOUT;
        int moved = move(handle, endpoint, data + done, length - done);
        if (moved < 0)
            return moved;
        done += moved;
    }
    return length;
}

int libusb_init(libusb_context **context)
{
    char *listed = strdup(getenv("USB_TERMINALS") ? getenv("USB_TERMINALS") : ""), *rest = listed, *entry;
    if (context)
        *context = NULL;
    if (wake[0] < 0 && pipe2(wake, O_NONBLOCK | O_CLOEXEC))
        return LIBUSB_ERROR_OTHER;
    for (stick_count = 0; (entry = strsep(&rest, ",")) && stick_count < MAX_STICKS;) {
        char *name = strsep(&entry, "=");
        for (size_t i = 0; entry && i < sizeof KINDS / sizeof *KINDS; i++)
            if (!strcmp(name, KINDS[i].name)) {
                sticks[stick_count] = (libusb_device){&KINDS[i], &BRIDGES[KINDS[i].bridge], entry, stick_count + 1};
                stick_count++;
            }
    }
    return LIBUSB_SUCCESS; /* `listed` stays: the paths of the sticks are in it */
}

ssize_t libusb_get_device_list(libusb_context *context, libusb_device ***list)
{
    ssize_t count = 0;
    (void)context;
    *list = calloc(stick_count + 1, sizeof **list);
    for (int i = 0; i < stick_count; i++)
        if (!access(sticks[i].path, R_OK | W_OK))
            (*list)[count++] = &sticks[i];
    return count;
}

int libusb_get_device_descriptor(libusb_device *device, struct libusb_device_descriptor *descriptor)
{
    *descriptor = (struct libusb_device_descriptor){
        .bLength = LIBUSB_DT_DEVICE_SIZE, .bDescriptorType = LIBUSB_DT_DEVICE, .bcdUSB = 0x0200, .bMaxPacketSize0 = 64,
        .idVendor = device->bridge->vendor, .idProduct = device->bridge->product,
        .iManufacturer = 1, .iProduct = 2, .iSerialNumber = 3, .bNumConfigurations = 1,
    };
    return LIBUSB_SUCCESS;
}

int libusb_get_active_config_descriptor(libusb_device *device, struct libusb_config_descriptor **descriptor)
{
    struct { struct libusb_config_descriptor config; struct libusb_interface interface;
             struct libusb_interface_descriptor setting; struct libusb_endpoint_descriptor endpoints[2]; } *all;
    if (!(all = calloc(1, sizeof *all)))
        return LIBUSB_ERROR_NO_MEM;
    for (int i = 0; i < 2; i++)
        all->endpoints[i] = (struct libusb_endpoint_descriptor){
            .bEndpointAddress = i ? device->bridge->out : device->bridge->in,
            .bmAttributes = LIBUSB_TRANSFER_TYPE_BULK, .wMaxPacketSize = 64};
    all->setting = (struct libusb_interface_descriptor){.bNumEndpoints = 2, .endpoint = all->endpoints};
    all->interface = (struct libusb_interface){.altsetting = &all->setting, .num_altsetting = 1};
    all->config = (struct libusb_config_descriptor){
        .bNumInterfaces = 1, .bConfigurationValue = 1, .interface = &all->interface};
    *descriptor = &all->config;
    return LIBUSB_SUCCESS;
}

int libusb_open(libusb_device *device, libusb_device_handle **handle)
{
    int terminal = open(device->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (terminal < 0 || !(*handle = calloc(1, sizeof **handle)))
        return LIBUSB_ERROR_NO_DEVICE;
    **handle = (libusb_device_handle){device, terminal};
    set_baud_rate(terminal, 115200);
    return LIBUSB_SUCCESS;
}

void libusb_close(libusb_device_handle *handle)
{
    close(handle->terminal);
    free(handle);
}

int libusb_get_string_descriptor_ascii(libusb_device_handle *handle, uint8_t index, unsigned char *data, int length)
{
    const struct kind *kind = handle->device->kind;
    if (index == 3) /* cgminer's driver of Gekko's sticks reads eleven characters of it */
        return snprintf((char *)data, length, "000000000%03d", handle->device->address);
    return snprintf((char *)data, length, "%s", index == 1 ? kind->manufacturer : kind->product);
}

int libusb_submit_transfer(struct libusb_transfer *transfer)
{
    pthread_mutex_lock(&lock);
    owner(transfer)->is_cancelled = 0;
    owner(transfer)->next = first_pending;
    first_pending = owner(transfer);
    pthread_mutex_unlock(&lock);
    return write(wake[1], "", 1) < 0 && errno != EAGAIN ? LIBUSB_ERROR_OTHER : LIBUSB_SUCCESS;
}

int libusb_cancel_transfer(struct libusb_transfer *transfer)
{
    owner(transfer)->is_cancelled = 1;
    return write(wake[1], "", 1) < 0 && errno != EAGAIN ? LIBUSB_ERROR_OTHER : LIBUSB_SUCCESS;
}

/* Whether a transfer is done, with its status and length. */
static int attempt(struct pending *pending)
{
    struct libusb_transfer *transfer = &pending->transfer;
    uint8_t *setup = transfer->buffer;
    int moved;
    if (transfer->type == LIBUSB_TRANSFER_TYPE_CONTROL)
        moved = control(transfer->dev_handle, setup[1], setup + LIBUSB_CONTROL_SETUP_SIZE, setup[6] | setup[7] << 8);
    else if (transfer->endpoint & LIBUSB_ENDPOINT_IN)
        moved = move(transfer->dev_handle, transfer->endpoint, transfer->buffer, transfer->length);
    else
        moved = write_all(transfer->dev_handle, transfer->endpoint, transfer->buffer, transfer->length);
    if (!moved && transfer->endpoint & LIBUSB_ENDPOINT_IN && transfer->type == LIBUSB_TRANSFER_TYPE_BULK) {
        transfer->actual_length = 0;
        transfer->status = LIBUSB_TRANSFER_CANCELLED;
        return pending->is_cancelled;
    }
    transfer->actual_length = moved < 0 ? 0 : moved;
    transfer->status = moved == LIBUSB_ERROR_TIMEOUT ? LIBUSB_TRANSFER_TIMED_OUT
                       : moved < 0                   ? LIBUSB_TRANSFER_NO_DEVICE
                                                     : LIBUSB_TRANSFER_COMPLETED;
    return 1;
}

int libusb_handle_events_timeout_completed(libusb_context *context, struct timeval *timeout, int *completed)
{
    struct pollfd sources[MAX_STICKS + 1] = {{wake[0], POLLIN, 0}};
    struct pending *done = NULL;
    char ignored[64];
    int count = 1;
    (void)context, (void)completed;
    pthread_mutex_lock(&lock);
    for (struct pending *one = first_pending; one && count <= MAX_STICKS; one = one->next)
        sources[count++] = (struct pollfd){one->transfer.dev_handle->terminal, POLLIN, 0};
    pthread_mutex_unlock(&lock);
    poll(sources, count, timeout->tv_sec * 1000 + timeout->tv_usec / 1000);
    while (read(wake[0], ignored, sizeof ignored) > 0)
        ;
    pthread_mutex_lock(&lock);
    for (struct pending **link = &first_pending; *link;) {
        struct pending *one = *link;
        if (attempt(one)) {
            *link = one->next;
            one->next = done;
            done = one;
        } else
            link = &one->next;
    }
    pthread_mutex_unlock(&lock);
    while (done) { /* the callback may free the transfer */
        struct pending *one = done;
        done = one->next;
        one->transfer.callback(&one->transfer);
    }
    return LIBUSB_SUCCESS;
}

int libusb_bulk_transfer(libusb_device_handle *handle, unsigned char endpoint, unsigned char *data, int length,
                         int *transferred, unsigned int timeout)
{
    struct pollfd source = {handle->terminal, POLLIN, 0};
    int moved;
    if (!(endpoint & LIBUSB_ENDPOINT_IN))
        moved = write_all(handle, endpoint, data, length);
    else
        moved = poll(&source, 1, timeout ? (int)timeout : -1) < 1 ? LIBUSB_ERROR_TIMEOUT
                                                                  : move(handle, endpoint, data, length);
    *transferred = moved < 0 ? 0 : moved;
    return moved < 0 ? moved : LIBUSB_SUCCESS;
}

int libusb_control_transfer(libusb_device_handle *handle, uint8_t type, uint8_t request, uint16_t value,
                            uint16_t index, unsigned char *data, uint16_t length, unsigned int timeout)
{
    (void)type, (void)value, (void)index, (void)timeout;
    return control(handle, request, data, length);
}

struct libusb_transfer *libusb_alloc_transfer(int packets)
{
    struct pending *pending = packets ? NULL : calloc(1, sizeof *pending);
    return pending ? &pending->transfer : NULL;
}

/* What has nothing to do for a terminal. */
#define IGNORED __attribute__((unused))
void libusb_exit(IGNORED libusb_context *context) {}
void libusb_free_device_list(libusb_device **list, IGNORED int unref) { free(list); }
void libusb_free_config_descriptor(struct libusb_config_descriptor *descriptor) { free(descriptor); }
void libusb_free_transfer(struct libusb_transfer *transfer) { free(owner(transfer)); }
libusb_device *libusb_ref_device(libusb_device *device) { return device; }
void libusb_unref_device(IGNORED libusb_device *device) {}
uint8_t libusb_get_bus_number(IGNORED libusb_device *device) { return 1; }
uint8_t libusb_get_device_address(libusb_device *device) { return device->address; }
int libusb_get_device_speed(IGNORED libusb_device *device) { return LIBUSB_SPEED_FULL; }
int libusb_get_configuration(IGNORED libusb_device_handle *handle, int *number) { return *number = 1, 0; }
int libusb_set_configuration(IGNORED libusb_device_handle *handle, IGNORED int number) { return 0; }
int libusb_claim_interface(IGNORED libusb_device_handle *handle, IGNORED int number) { return 0; }
int libusb_release_interface(IGNORED libusb_device_handle *handle, IGNORED int number) { return 0; }
int libusb_kernel_driver_active(IGNORED libusb_device_handle *handle, IGNORED int number) { return 0; }
int libusb_detach_kernel_driver(IGNORED libusb_device_handle *handle, IGNORED int number) { return 0; }
int libusb_attach_kernel_driver(IGNORED libusb_device_handle *handle, IGNORED int number) { return 0; }
int libusb_reset_device(IGNORED libusb_device_handle *handle) { return 0; }
int libusb_clear_halt(IGNORED libusb_device_handle *handle, IGNORED unsigned char endpoint) { return 0; }
int libusb_set_option(IGNORED libusb_context *context, IGNORED enum libusb_option option, ...) { return 0; }
void libusb_set_debug(IGNORED libusb_context *context, IGNORED int level) {}
const char *libusb_error_name(int error) { return error ? "error" : "success"; }
