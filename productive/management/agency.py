"""Names and texts of the sample agency."""

from __future__ import annotations

from typing import Any, NamedTuple

NAME = "Studio Maestral"
AGENCY_TIME_ZONE = "Europe/Zagreb"
EMAIL_DOMAIN, PRIVATE_DOMAIN = "agency.example", "mail.example"


class Discipline(NamedTuple):
    """A service type, the job titles of its people, and its services."""

    name: str
    description: str
    titles: tuple[str, ...]
    services: tuple[str, ...]


MANAGEMENT = Discipline(
    "Project Management",
    "Plans, budgets and schedules.",
    ("Project Manager", "Senior Project Manager", "Producer"),
    ("Project management",),
)

# People are hired for them in turn.
DISCIPLINES = (
    Discipline(
        "UX Design", "How it works before how it looks.",
        ("UX Designer", "Senior UX Designer", "Service Designer"),
        ("Wireframes", "Clickable prototype", "Usability testing", "Information architecture",
         "Design sprint"),
    ),
    Discipline(
        "Visual Design", "Screens, type and color.",
        ("Visual Designer", "Senior Visual Designer", "Art Director"),
        ("Interface design", "Design system", "Illustrations", "Icon set", "Landing page design"),
    ),
    Discipline(
        "Frontend Development", "Everything that runs in the browser.",
        ("Frontend Developer", "Senior Frontend Developer", "Frontend Lead"),
        ("Templates", "Component library", "Checkout pages", "Accessibility fixes", "Frontend maintenance"),
    ),
    Discipline(
        "Backend Development", "Data, rules and the interfaces between systems.",
        ("Backend Developer", "Senior Backend Developer", "Backend Lead"),
        ("API development", "CRM connection", "Payment connection", "Data import", "Backend maintenance"),
    ),
    Discipline(
        "Mobile Development", "Apps for phones and tablets.",
        ("iOS Developer", "Android Developer", "Mobile Lead"),
        ("iOS app", "Android app", "Push notifications", "App store release", "App maintenance"),
    ),
    Discipline(
        "Quality Assurance", "Finding it before the client does.",
        ("QA Engineer", "Senior QA Engineer", "Test Automation Engineer"),
        ("Test plan", "Regression testing", "Device testing", "Test automation", "Acceptance support"),
    ),
    Discipline(
        "Content", "Texts for people first.",
        ("Copywriter", "Content Strategist", "Editor"),
        ("Copywriting", "Content migration", "Editorial calendar", "Translation", "Product texts"),
    ),
    Discipline(
        "Analytics", "What visitors do, and what that means.",
        ("Web Analyst", "Data Analyst", "Senior Data Analyst"),
        ("Tracking setup", "Monthly report", "Funnel analysis", "A/B tests", "Dashboard"),
    ),
    Discipline(
        "Search Marketing", "Being found, paid or not.",
        ("SEO Specialist", "Performance Marketer", "Search Lead"),
        ("SEO audit", "Keyword research", "Search campaigns", "Shopping feed", "Campaign reporting"),
    ),
    Discipline(
        "Infrastructure", "Servers, deployments and being awake when they are not.",
        ("DevOps Engineer", "Systems Administrator", "Platform Lead"),
        ("Hosting setup", "Deployment pipeline", "Monitoring", "Load testing", "On-call support"),
    ),
    Discipline(
        "Consulting", "Workshops and advice.",
        ("Consultant", "Senior Consultant", "Strategist"),
        ("Discovery workshop", "Technical audit", "Roadmap", "Training", "Vendor selection"),
    ),
)  # fmt: skip

# Archived, but older budgets have services of these types.
RETIRED_DISCIPLINES = (
    Discipline("Flash Development", "Banners and games, until 2020.", (), ("Animated banners", "Minigame")),
    Discipline("Print Design", "Now done by partners.", (), ("Brochure", "Annual report", "Trade fair wall")),
    Discipline(
        "Community Management", "Moved to the clients' own teams.", (), ("Channel care", "Moderation")
    ),
)

# Service types that somebody added a second time, with the name of the first. The last one was never used.
DUPLICATES = (
    ("QA", "Quality Assurance"),
    ("Front-end development", "Frontend Development"),
    ("Visual designs", "Visual Design"),
    ("Mobile Developement", "Mobile Development"),
)

# Services that are billed without work.
EXPENSES = ("Travel", "Stock photography", "Licenses", "Hosting fees", "Printing")

FIRST_NAMES = (
    "Ana", "Ivan", "Petra", "Marko", "Lucija", "Luka", "Marija", "Josip", "Iva", "Matej", "Ivana",
    "Tomislav", "Željka", "Stjepan", "Maja", "Krešimir", "Nina", "Filip", "Sara", "Dino", "Tea",
    "Hrvoje", "Jelena", "Goran", "Dora", "Vedran", "Lana", "Boris", "Katarina", "Zoran", "Emma",
    "Jonas", "Sofia", "Liam", "Clara", "Mateo", "Hannah", "Noah", "Elena", "Oscar", "Julia", "Samuel",
    "Chloé", "David", "Amira", "Kofi", "Yuki", "Rafael", "Ingrid", "Tomás", "Zoë", "Arjun", "Leila",
    "Henrik", "Priya", "Mehmet", "Olga", "Pavel", "Nora", "Andrés",
)  # fmt: skip

LAST_NAMES = (
    "Horvat", "Kovačević", "Babić", "Marić", "Jurić", "Novak", "Kovačić", "Knežević", "Vuković",
    "Marković", "Petrović", "Matić", "Tomić", "Pavlović", "Kovač", "Božić", "Blažević", "Grgić",
    "Pavić", "Radić", "Perić", "Filipović", "Šarić", "Lovrić", "Vidović", "Perković", "Popović",
    "Bošnjak", "Jukić", "Barišić", "Šimić", "Lončar", "Zorić", "Rukavina", "Kranjčar", "Becker",
    "Lindqvist", "Moreau", "Rossi", "García", "Silva", "Jensen", "O'Brien", "Nguyen", "Okafor",
    "Tanaka", "Patel", "Demir", "Dvořák", "Kowalska", "Weber", "Fischer", "Martin", "Laurent",
    "Bianchi", "Costa", "Virtanen", "Haddad", "Mensah", "Sato",
)  # fmt: skip

CLIENTS = (
    "Acme", "Bluefin Tours", "Cedar Bank", "Dunav Logistics", "Ember Coffee", "Fjord Outdoor",
    "Granit Insurance", "Harbour Clinic", "Iskra Energy", "Juniper Foods", "Karst Winery",
    "Lumen Optics", "Mistral Airlines", "Nimbus Telecom", "Orchard Toys", "Plitvice Lodges",
    "Quarry Tools", "Rosemary Hotels", "Saffron Kitchen", "Tidal Sports", "Umbra Lighting",
    "Velvet Cosmetics", "Willow Pharmacy", "Xenon Motors", "Yellow Bikes", "Zenith University",
    "Amber Museum", "Brisk Couriers", "Coral Dental", "Drift Furniture", "Echo Records",
    "Falcon Security", "Glacier Water", "Heron Publishing", "Indigo Fashion", "Jasper Real Estate",
    "Kestrel Software", "Lavender Spa", "Meridian Rail", "Nettle Garden",
)  # fmt: skip

PRODUCTS = (
    "Website", "Online Shop", "Mobile App", "Rebranding", "Intranet", "Booking Platform", "Campaign",
    "Customer Portal", "Newsletter", "Design System", "Data Platform", "Relaunch",
)  # fmt: skip

FILTERS: dict[str, dict[str, Any]] = {
    "Active people": {"filter": {"status": 1}, "sort": "name"},
    "Archived people": {"filter": {"status": 2}, "sort": "name"},
    "Open budgets": {"filter": {"budget_status": 1}},
    "Closed budgets": {"filter": {"budget_status": 2}},
    "Running projects": {"filter": {"status": 1}, "sort": "-created_at"},
    "Archived projects": {"filter": {"status": 2}},
    "Designers": {"filter": {"query": "design"}},
    "Developers": {"filter": {"query": "develop"}},
    "Support": {"filter": {"query": "support"}},
    "Newest first": {"sort": "-created_at"},
    "By name": {"sort": "name"},
    "Everything": {},
}
